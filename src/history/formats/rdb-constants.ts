/**
 * The numbers of the RDB format.
 *
 *      file     "REDIS" version(4 digits)  record...  EOF  check sum (8 bytes, since version 5)
 *      record   opcode and its fields, or: type  key (string)  value
 *      length   00LLLLLL │ 01LLLLLL ........ │ 10000000 + 4 bytes │ 10000001 + 8 bytes (highest byte first)
 *      string   length and bytes, or 11000000 int8, 11000001 int16, 11000010 int32 (lowest byte first),
 *               11000011 LZF: length of the compressed bytes, length of the string, compressed bytes
 *
 *  Source: files written by real servers; the format's public descriptions.
 */

/** Newest version that is read. */
export const RDB_VERSION_MAX = 12;
/** Version that is written: every Redis from 7.0 and every Valkey loads it. */
export const RDB_VERSION_WRITTEN = 10;

export const TYPE_STRING = 0;
export const TYPE_LIST = 1;
export const TYPE_SET = 2;
export const TYPE_ZSET = 3;
export const TYPE_HASH = 4;
export const TYPE_ZSET_BINARY = 5;
export const TYPE_MODULE_OLD = 6;
export const TYPE_MODULE = 7;
export const TYPE_HASH_ZIPMAP = 9;
export const TYPE_LIST_ZIPLIST = 10;
export const TYPE_SET_INTSET = 11;
export const TYPE_ZSET_ZIPLIST = 12;
export const TYPE_HASH_ZIPLIST = 13;
export const TYPE_LIST_QUICKLIST = 14;
export const TYPE_STREAM_1 = 15;
export const TYPE_HASH_LISTPACK = 16;
export const TYPE_ZSET_LISTPACK = 17;
export const TYPE_LIST_QUICKLIST_2 = 18;
export const TYPE_STREAM_2 = 19;
export const TYPE_SET_LISTPACK = 20;
export const TYPE_STREAM_3 = 21;
/** Hash whose fields may expire, 7.4's release candidates: times are absolute. */
export const TYPE_HASH_EXPIRING_OLD = 22;
export const TYPE_HASH_LISTPACK_EXPIRING_OLD = 23;
/** Hash whose fields may expire: the earliest time comes first. */
export const TYPE_HASH_EXPIRING = 24;
export const TYPE_HASH_LISTPACK_EXPIRING = 25;

export const OPCODE_SLOT_INFO = 244;
export const OPCODE_FUNCTION = 245;
export const OPCODE_FUNCTION_OLD = 246;
export const OPCODE_MODULE_AUX = 247;
export const OPCODE_IDLE = 248;
export const OPCODE_FREQ = 249;
export const OPCODE_AUX = 250;
export const OPCODE_RESIZE_DB = 251;
export const OPCODE_EXPIRE_MS = 252;
export const OPCODE_EXPIRE_SECONDS = 253;
export const OPCODE_SELECT_DB = 254;
export const OPCODE_EOF = 255;

export const ENCODING_INT8 = 0;
export const ENCODING_INT16 = 1;
export const ENCODING_INT32 = 2;
export const ENCODING_LZF = 3;

export const LENGTH_14_BITS = 0x40;
export const LENGTH_32 = 0x80;
export const LENGTH_64 = 0x81;
export const LENGTH_ENCODED = 0xc0;

/** Inside of values and records of modules. */
export const MODULE_END = 0;
export const MODULE_SIGNED = 1;
export const MODULE_UNSIGNED = 2;
export const MODULE_FLOAT = 3;
export const MODULE_DOUBLE = 4;
export const MODULE_STRING = 5;

/** In a quicklist 2: one string, or a listpack of several. */
export const NODE_PLAIN = 1;
export const NODE_PACKED = 2;

const TYPE_NAMES: ReadonlyMap<number, string> = new Map([
  [TYPE_STRING, "string"],
  [TYPE_LIST, "list"],
  [TYPE_LIST_ZIPLIST, "list"],
  [TYPE_LIST_QUICKLIST, "list"],
  [TYPE_LIST_QUICKLIST_2, "list"],
  [TYPE_SET, "set"],
  [TYPE_SET_INTSET, "set"],
  [TYPE_SET_LISTPACK, "set"],
  [TYPE_ZSET, "zset"],
  [TYPE_ZSET_BINARY, "zset"],
  [TYPE_ZSET_ZIPLIST, "zset"],
  [TYPE_ZSET_LISTPACK, "zset"],
  [TYPE_HASH, "hash"],
  [TYPE_HASH_ZIPMAP, "hash"],
  [TYPE_HASH_ZIPLIST, "hash"],
  [TYPE_HASH_LISTPACK, "hash"],
  [TYPE_HASH_EXPIRING_OLD, "hash"],
  [TYPE_HASH_LISTPACK_EXPIRING_OLD, "hash"],
  [TYPE_HASH_EXPIRING, "hash"],
  [TYPE_HASH_LISTPACK_EXPIRING, "hash"],
  [TYPE_STREAM_1, "stream"],
  [TYPE_STREAM_2, "stream"],
  [TYPE_STREAM_3, "stream"],
  [TYPE_MODULE_OLD, "module"],
  [TYPE_MODULE, "module"],
]);

/** The kind of value that an RDB type holds, as the TYPE command calls it; undefined for a number that is no type. */
export function rdbTypeName(type: number): string | undefined {
  return TYPE_NAMES.get(type);
}

const MODULE_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** A module type's nine letters and its version, out of the 64 bits that stand in the file. */
export function moduleTypeName(id: bigint): string {
  let name = "";
  for (let shift = 58n; shift >= 10n; shift -= 6n) name += MODULE_ALPHABET[Number((id >> shift) & 63n)]!;
  return `${name} (version ${id & 1023n})`;
}
