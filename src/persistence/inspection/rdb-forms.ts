/**
 * The forms in which values stand in an RDB file: a type as TYPE calls it, and an encoding as OBJECT ENCODING calls it.
 *
 *      form   0 int   1 embstr   2 raw      strings, by what they are when they are loaded
 *             RDB type + 3                  everything else, by what stands in the file
 */

import { parseInt64 } from "../../core/numbers.ts";
import * as rdb from "../../history/formats/rdb-constants.ts";

export const FORM_INT = 0;
export const FORM_EMBSTR = 1;
export const FORM_RAW = 2;
const FORM_OF_TYPE = 3;
export const FORM_COUNT = FORM_OF_TYPE + 32;

/** Longest string that Redis calls embstr. */
const EMBSTR_BYTES_MAX = 44;
const INT64_DIGITS_MAX = 20;
const SAFE_DIGITS_MAX = 15;

/** The form of a value that is no string. */
export function formOfType(type: number): number {
  return type + FORM_OF_TYPE;
}

/** The form of a string of `length` bytes; its bytes are asked only when it is short enough to be a number. hot path */
export function formOfString(bytes: Uint8Array, start: number, length: number): number {
  if (length <= INT64_DIGITS_MAX && isInteger(bytes, start, length)) return FORM_INT;
  return length <= EMBSTR_BYTES_MAX ? FORM_EMBSTR : FORM_RAW;
}

function isInteger(bytes: Uint8Array, start: number, length: number): boolean {
  if (length === 0) return false;
  const first = bytes[start]!;
  if (first > 57 || (first < 48 && first !== 45)) return false;
  if (length > SAFE_DIGITS_MAX || first === 45 || first === 48) return parseInt64(bytes, start, length) !== undefined;
  for (let index = 1; index < length; index++) {
    const byte = bytes[start + index]!;
    if (byte < 48 || byte > 57) return false;
  }
  return true;
}

const ENCODINGS: Readonly<Record<number, string>> = {
  [rdb.TYPE_LIST]: "linkedlist",
  [rdb.TYPE_LIST_ZIPLIST]: "ziplist",
  [rdb.TYPE_LIST_QUICKLIST]: "quicklist",
  [rdb.TYPE_LIST_QUICKLIST_2]: "quicklist",
  [rdb.TYPE_SET]: "hashtable",
  [rdb.TYPE_SET_INTSET]: "intset",
  [rdb.TYPE_SET_LISTPACK]: "listpack",
  [rdb.TYPE_ZSET]: "skiplist",
  [rdb.TYPE_ZSET_BINARY]: "skiplist",
  [rdb.TYPE_ZSET_ZIPLIST]: "ziplist",
  [rdb.TYPE_ZSET_LISTPACK]: "listpack",
  [rdb.TYPE_HASH]: "hashtable",
  [rdb.TYPE_HASH_ZIPMAP]: "zipmap",
  [rdb.TYPE_HASH_ZIPLIST]: "ziplist",
  [rdb.TYPE_HASH_LISTPACK]: "listpack",
  [rdb.TYPE_HASH_EXPIRING_OLD]: "hashtable",
  [rdb.TYPE_HASH_LISTPACK_EXPIRING_OLD]: "listpackex",
  [rdb.TYPE_HASH_EXPIRING]: "hashtable",
  [rdb.TYPE_HASH_LISTPACK_EXPIRING]: "listpackex",
  [rdb.TYPE_STREAM_1]: "stream",
  [rdb.TYPE_STREAM_2]: "stream",
  [rdb.TYPE_STREAM_3]: "stream",
};

/** What a form is called. */
export function formName(form: number): { readonly type: string; readonly encoding: string } {
  if (form === FORM_INT) return { type: "string", encoding: "int" };
  if (form === FORM_EMBSTR) return { type: "string", encoding: "embstr" };
  if (form === FORM_RAW) return { type: "string", encoding: "raw" };
  const type = form - FORM_OF_TYPE;
  const name = rdb.rdbTypeName(type) ?? "unknown";
  return { type: name, encoding: ENCODINGS[type] ?? name };
}
