/**
 * Decodes the value of a key, whatever its type and encoding, into calls of a ValueVisitor.
 *
 *      type 1 2 4 5 3     count, then strings                            list, set, hash, zset
 *      type 9 - 13 16 17  one string that holds a packed blob            (see packed.ts)
 *      type 14 18         count, then one blob or plain string per node  list
 *      type 22 - 25       hash whose fields may expire
 *      type 15 19 21      stream (see rdb-streams.ts)
 *
 *  I1  A value is decoded completely and checked deeply, or an RdbFault is thrown.
 *  I2  skipValue passes over exactly the bytes that readValue takes; it checks lengths only.
 *  Source: the format's public descriptions; files written by real servers.
 */

import { parseFloat64 } from "../../core/numbers.ts";
import { PackedFault, readIntset, readZipmap } from "./packed.ts";
import * as rdb from "./rdb-constants.ts";
import type { RdbInput } from "./rdb-input.ts";
import { readStream, skipStream } from "./rdb-streams.ts";
import type { ValueVisitor } from "./value-visitor.ts";

/** 2^48 - 1: fields cannot expire later. */
const FIELD_EXPIRE_MS_MAX = 281474976710655;

/** Reads a value of `type` (any but TYPE_STRING) and tells `visitor` its elements. Throws RdbFault. */
export function readValue(input: RdbInput, type: number, visitor: ValueVisitor): void {
  const start = input.offset();
  try {
    dispatch(input, type, visitor);
  } catch (error) {
    if (error instanceof PackedFault) throw input.fault(`${error.message} (in the value from offset ${start})`);
    throw error;
  }
}

function dispatch(input: RdbInput, type: number, visitor: ValueVisitor): void {
  switch (type) {
    case rdb.TYPE_LIST:
      readPlainList(input, visitor);
      break;
    case rdb.TYPE_SET:
      readPlainSet(input, visitor);
      break;
    case rdb.TYPE_ZSET:
    case rdb.TYPE_ZSET_BINARY:
      readPlainZset(input, type, visitor);
      break;
    case rdb.TYPE_HASH:
      readPlainHash(input, visitor);
      break;
    case rdb.TYPE_HASH_ZIPMAP:
      readZipmapHash(input, visitor);
      break;
    case rdb.TYPE_SET_INTSET:
      readIntsetSet(input, visitor);
      break;
    case rdb.TYPE_LIST_ZIPLIST:
    case rdb.TYPE_ZSET_ZIPLIST:
    case rdb.TYPE_HASH_ZIPLIST:
    case rdb.TYPE_HASH_LISTPACK:
    case rdb.TYPE_ZSET_LISTPACK:
    case rdb.TYPE_SET_LISTPACK:
      readPacked(input, type, visitor);
      break;
    case rdb.TYPE_LIST_QUICKLIST:
    case rdb.TYPE_LIST_QUICKLIST_2:
      readQuicklist(input, type, visitor);
      break;
    case rdb.TYPE_HASH_EXPIRING:
    case rdb.TYPE_HASH_EXPIRING_OLD:
      readExpiringHash(input, type, visitor);
      break;
    case rdb.TYPE_HASH_LISTPACK_EXPIRING:
    case rdb.TYPE_HASH_LISTPACK_EXPIRING_OLD:
      readExpiringListpack(input, type, visitor);
      break;
    case rdb.TYPE_STREAM_1:
    case rdb.TYPE_STREAM_2:
    case rdb.TYPE_STREAM_3:
      readStream(input, type, visitor);
      break;
    default:
      throw refuse(input, type);
  }
}

/** The fault for types that cannot be decoded; a module is called by its name. */
function refuse(input: RdbInput, type: number): Error {
  input.reading = "value";
  if (type === rdb.TYPE_MODULE) {
    const name = rdb.moduleTypeName(input.bigLength());
    return input.fault(`the value belongs to the module type ${name}, which is not supported`);
  }
  if (type === rdb.TYPE_MODULE_OLD) return input.fault("values of modules from before Redis 4.0 are not supported");
  return input.fault(`type ${type} is unknown`);
}

function hint(count: number): number {
  return Math.min(count, 2 ** 30);
}

function readPlainList(input: RdbInput, visitor: ValueVisitor): void {
  input.reading = "list";
  const count = input.count(1);
  visitor.begin("list", hint(count));
  for (let index = 0; index < count; index++) {
    input.string();
    visitor.listItem(input.stringBytes, input.stringStart, input.stringLength);
  }
}

function readPlainSet(input: RdbInput, visitor: ValueVisitor): void {
  input.reading = "set";
  const count = input.count(1);
  visitor.begin("set", hint(count));
  for (let index = 0; index < count; index++) {
    input.string();
    visitor.setMember(input.stringBytes, input.stringStart, input.stringLength);
  }
}

function readPlainZset(input: RdbInput, type: number, visitor: ValueVisitor): void {
  input.reading = "zset";
  const isBinary = type === rdb.TYPE_ZSET_BINARY;
  const count = input.count(isBinary ? 9 : 2);
  visitor.begin("zset", hint(count));
  for (let index = 0; index < count; index++) {
    input.string();
    input.keepString();
    const score = isBinary ? input.float64() : textScore(input);
    if (Number.isNaN(score)) throw input.fault("a score is not a number");
    visitor.zsetMember(input.keptBytes, 0, input.keptLength, score);
  }
}

/** A score of RDB version 7 and before: length and text, or 253 NaN, 254 infinity, 255 minus infinity. */
function textScore(input: RdbInput): number {
  const length = input.byte();
  if (length === 255) return Number.NEGATIVE_INFINITY;
  if (length === 254) return Number.POSITIVE_INFINITY;
  if (length === 253) return Number.NaN;
  input.raw(length);
  return parseFloat64(input.stringBytes, input.stringStart, length);
}

function readPlainHash(input: RdbInput, visitor: ValueVisitor): void {
  input.reading = "hash";
  const count = input.count(2);
  visitor.begin("hash", hint(count));
  for (let index = 0; index < count; index++) tellField(input, visitor, -1);
}

function tellField(input: RdbInput, visitor: ValueVisitor, expireAtMs: number): void {
  input.string();
  input.keepString();
  input.string();
  visitor.hashField(
    input.keptBytes,
    0,
    input.keptLength,
    input.stringBytes,
    input.stringStart,
    input.stringLength,
    expireAtMs,
  );
}

function readExpiringHash(input: RdbInput, type: number, visitor: ValueVisitor): void {
  input.reading = "hash with expiring fields";
  const isRelative = type === rdb.TYPE_HASH_EXPIRING;
  const earliest = isRelative ? input.int64() : 0;
  if (earliest < 0 || earliest > FIELD_EXPIRE_MS_MAX + 1) throw input.fault("the earliest expiry is out of range");
  const count = input.count(3);
  visitor.begin("hash", hint(count));
  for (let index = 0; index < count; index++) {
    const stored = input.length();
    const expireAtMs = stored === 0 ? -1 : isRelative ? earliest + stored - 1 : stored;
    if (expireAtMs > FIELD_EXPIRE_MS_MAX) throw input.fault("a field's expiry is out of range");
    tellField(input, visitor, expireAtMs);
  }
}

function readExpiringListpack(input: RdbInput, type: number, visitor: ValueVisitor): void {
  input.reading = "hash with expiring fields";
  // The earliest expiry can be told from the fields; here it is only checked.
  const earliest = type === rdb.TYPE_HASH_LISTPACK_EXPIRING ? input.int64() : 0;
  if (earliest < 0 || earliest > FIELD_EXPIRE_MS_MAX + 1) throw input.fault("the earliest expiry is out of range");
  input.string();
  const cursor = input.packed;
  cursor.openListpack(input.stringBytes, input.stringStart, input.stringLength);
  visitor.begin("hash", Math.max(0, cursor.headerCount / 3));
  while (cursor.next()) {
    const { bytes: fieldBytes, start: fieldStart, length: fieldLength } = cursor;
    cursor.expect();
    const { bytes, start, length } = cursor;
    cursor.expect();
    const expireAtMs = cursor.count(FIELD_EXPIRE_MS_MAX);
    visitor.hashField(fieldBytes, fieldStart, fieldLength, bytes, start, length, expireAtMs === 0 ? -1 : expireAtMs);
  }
}

function readZipmapHash(input: RdbInput, visitor: ValueVisitor): void {
  input.reading = "zipmap";
  input.string();
  const blob = input.stringBytes;
  visitor.begin("hash", 0);
  readZipmap(blob, input.stringStart, input.stringLength, (keyStart, keyLength, valueStart, valueLength) => {
    visitor.hashField(blob, keyStart, keyLength, blob, valueStart, valueLength, -1);
  });
}

function readIntsetSet(input: RdbInput, visitor: ValueVisitor): void {
  input.reading = "intset";
  input.string();
  visitor.begin("set", 0);
  readIntset(input.stringBytes, input.stringStart, input.stringLength, (bytes, start, length) => {
    visitor.setMember(bytes, start, length);
  });
}

function readPacked(input: RdbInput, type: number, visitor: ValueVisitor): void {
  const isListpack = type >= rdb.TYPE_HASH_LISTPACK;
  input.reading = isListpack ? "listpack" : "ziplist";
  input.string();
  const cursor = input.packed;
  if (isListpack) cursor.openListpack(input.stringBytes, input.stringStart, input.stringLength);
  else cursor.openZiplist(input.stringBytes, input.stringStart, input.stringLength);
  const count = Math.max(0, cursor.headerCount);
  if (type === rdb.TYPE_LIST_ZIPLIST) {
    visitor.begin("list", count);
    while (cursor.next()) visitor.listItem(cursor.bytes, cursor.start, cursor.length);
  } else if (type === rdb.TYPE_SET_LISTPACK) {
    visitor.begin("set", count);
    while (cursor.next()) visitor.setMember(cursor.bytes, cursor.start, cursor.length);
  } else if (type === rdb.TYPE_HASH_ZIPLIST || type === rdb.TYPE_HASH_LISTPACK) {
    visitor.begin("hash", count >> 1);
    while (cursor.next()) {
      const { bytes, start, length } = cursor;
      cursor.expect();
      visitor.hashField(bytes, start, length, cursor.bytes, cursor.start, cursor.length, -1);
    }
  } else {
    visitor.begin("zset", count >> 1);
    while (cursor.next()) {
      const { bytes, start, length } = cursor;
      cursor.expect();
      const score = parseFloat64(cursor.bytes, cursor.start, cursor.length);
      if (Number.isNaN(score)) throw input.fault("a score is not a number");
      visitor.zsetMember(bytes, start, length, score);
    }
  }
}

function readQuicklist(input: RdbInput, type: number, visitor: ValueVisitor): void {
  input.reading = "quicklist";
  const nodeCount = input.count(1);
  const cursor = input.packed;
  visitor.begin("list", 0);
  for (let node = 0; node < nodeCount; node++) {
    const container = type === rdb.TYPE_LIST_QUICKLIST_2 ? input.length() : rdb.NODE_PACKED;
    if (container !== rdb.NODE_PACKED && container !== rdb.NODE_PLAIN) {
      throw input.fault(`node form ${container} is unknown`);
    }
    input.string();
    if (container === rdb.NODE_PLAIN) {
      visitor.listItem(input.stringBytes, input.stringStart, input.stringLength);
      continue;
    }
    if (type === rdb.TYPE_LIST_QUICKLIST_2) {
      cursor.openListpack(input.stringBytes, input.stringStart, input.stringLength);
    } else {
      cursor.openZiplist(input.stringBytes, input.stringStart, input.stringLength);
    }
    while (cursor.next()) visitor.listItem(cursor.bytes, cursor.start, cursor.length);
  }
}

/** Passes over a value of `type` (any, also strings and modules). Throws RdbFault. */
export function skipValue(input: RdbInput, type: number): void {
  input.reading = "value";
  switch (type) {
    case rdb.TYPE_STRING:
    case rdb.TYPE_HASH_ZIPMAP:
    case rdb.TYPE_LIST_ZIPLIST:
    case rdb.TYPE_SET_INTSET:
    case rdb.TYPE_ZSET_ZIPLIST:
    case rdb.TYPE_HASH_ZIPLIST:
    case rdb.TYPE_HASH_LISTPACK:
    case rdb.TYPE_ZSET_LISTPACK:
    case rdb.TYPE_SET_LISTPACK:
    case rdb.TYPE_HASH_LISTPACK_EXPIRING_OLD:
      input.skipString();
      break;
    case rdb.TYPE_HASH_LISTPACK_EXPIRING:
      input.skip(8);
      input.skipString();
      break;
    case rdb.TYPE_LIST:
    case rdb.TYPE_SET:
    case rdb.TYPE_LIST_QUICKLIST:
      skipStrings(input, input.length());
      break;
    case rdb.TYPE_HASH:
      skipStrings(input, input.length() * 2);
      break;
    case rdb.TYPE_STREAM_1:
    case rdb.TYPE_STREAM_2:
    case rdb.TYPE_STREAM_3:
      skipStream(input, type);
      break;
    case rdb.TYPE_MODULE:
      input.bigLength();
      skipModuleData(input);
      break;
    default:
      skipMixed(input, type);
      break;
  }
}

function skipStrings(input: RdbInput, count: number): void {
  for (let index = 0; index < count; index++) input.skipString();
}

/** The types whose elements are strings and something else. */
function skipMixed(input: RdbInput, type: number): void {
  if (type === rdb.TYPE_HASH_EXPIRING) input.skip(8);
  const isExpiringHash = type === rdb.TYPE_HASH_EXPIRING || type === rdb.TYPE_HASH_EXPIRING_OLD;
  const isZset = type === rdb.TYPE_ZSET || type === rdb.TYPE_ZSET_BINARY;
  if (!isExpiringHash && !isZset && type !== rdb.TYPE_LIST_QUICKLIST_2) throw refuse(input, type);
  const count = input.length();
  for (let index = 0; index < count; index++) {
    if (!isZset) input.bigLength();
    input.skipString();
    if (isExpiringHash) input.skipString();
    if (type === rdb.TYPE_ZSET_BINARY) input.skip(8);
    else if (type === rdb.TYPE_ZSET) {
      const length = input.byte();
      if (length < 253) input.skip(length);
    }
  }
}

/** Passes over what a module wrote, to its end mark. */
export function skipModuleData(input: RdbInput): void {
  while (true) {
    const opcode = input.length();
    switch (opcode) {
      case rdb.MODULE_END:
        return;
      case rdb.MODULE_SIGNED:
      case rdb.MODULE_UNSIGNED:
        input.bigLength();
        break;
      case rdb.MODULE_FLOAT:
        input.skip(4);
        break;
      case rdb.MODULE_DOUBLE:
        input.skip(8);
        break;
      case rdb.MODULE_STRING:
        input.skipString();
        break;
      default:
        throw input.fault(`a module's element of kind ${opcode} is unknown`);
    }
  }
}
