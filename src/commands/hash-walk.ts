/**
 * Looking at some fields of a hash: HRANDFIELD, HSCAN.
 *
 *      HRANDFIELD count      negative: that many draws, fields may come again
 *                            all fields or more: the whole hash
 *                            few of a table: different draws; otherwise one walk that takes exactly so many
 *
 *  I1  Each field has the same probability.
 *  I2  HSCAN tells a field that is there from the first call to the last at least once; a listpack comes whole.
 *  Source: replies of redis-server 7.0.
 */

import { ReplyError, SYNTAX } from "../protocol/errors.ts";
import { ENCODING_HASHTABLE } from "../store/keyspace/record.ts";
import { type CommandContext, type CommandTable, KEY_READ } from "./command.ts";
import { findHash, NO_HASH } from "./hash.ts";
import { DRAW_SHARE_MAX, drawDistinct, isChosen, readSignedCount } from "./random-choice.ts";
import { readCursor, replyCursor } from "./scan-cursor.ts";
import { replyEmptyScan, ScanOptions, scanTable } from "./scan-options.ts";

const OUT_OF_RANGE = new ReplyError("ERR value is out of range");
/** With values a count is doubled, and must stay within 64 bits. */
const COUNT_WITH_VALUES_MAX = 2 ** 62;

function randomField(context: CommandContext): void {
  const { request, reply, keyspace, random } = context;
  if (request.count > 2) {
    randomFields(context);
    return;
  }
  const record = findHash(context);
  if (record === NO_HASH) return;
  if (record === 0) {
    reply.nullBulk();
    return;
  }
  const { hashes } = keyspace;
  hashes.pick(record, () => random.uint32());
  reply.bulk(hashes.fieldBytes, hashes.fieldStart, hashes.fieldLength);
}

function randomFields(context: CommandContext): void {
  const { request, reply, keyspace, random } = context;
  const count = readSignedCount(context, 2);
  if (Number.isNaN(count)) return;
  const withValues = request.count === 4 && request.is(3, "WITHVALUES");
  if (request.count > 3 && !withValues) {
    reply.error(SYNTAX);
    return;
  }
  if (withValues && Math.abs(count) >= COUNT_WITH_VALUES_MAX) {
    reply.error(OUT_OF_RANGE);
    return;
  }
  const record = findHash(context);
  if (record === NO_HASH) return;
  if (record === 0 || count === 0) {
    reply.array(0);
    return;
  }
  const { hashes } = keyspace;
  const fields = hashes.count(record);
  const draw = (): number => random.uint32();
  if (count < 0) {
    replyHeader(context, -count, withValues);
    for (let drawn = 0; drawn < -count; drawn++) {
      hashes.pick(record, draw);
      replyFound(context, withValues);
    }
    return;
  }
  const wanted = Math.min(count, fields);
  replyHeader(context, wanted, withValues);
  if (keyspace.records.encoding(record) === ENCODING_HASHTABLE && wanted * DRAW_SHARE_MAX < fields) {
    for (const entry of drawDistinct(wanted, () => hashes.pickEntry(record, draw))) {
      hashes.readEntry(entry);
      replyFound(context, withValues);
    }
    return;
  }
  let taken = 0;
  hashes.startWalk(record);
  for (let left = fields; taken < wanted && hashes.next(); left--) {
    if (!isChosen(random, wanted - taken, left)) continue;
    taken++;
    replyFound(context, withValues);
  }
}

/** Begins a reply of `count` fields: in RESP3 those with values are pairs. */
function replyHeader({ reply }: CommandContext, count: number, withValues: boolean): void {
  reply.array(withValues && reply.protocol === 2 ? count * 2 : count);
}

function replyFound({ reply, keyspace }: CommandContext, withValues: boolean): void {
  const { hashes } = keyspace;
  if (withValues && reply.protocol === 3) reply.array(2);
  reply.bulk(hashes.fieldBytes, hashes.fieldStart, hashes.fieldLength);
  if (withValues) reply.bulk(hashes.valueBytes, hashes.valueStart, hashes.valueLength);
}

function scan(context: CommandContext): void {
  const { reply, keyspace } = context;
  const cursor = readCursor(context, 2);
  if (cursor === undefined) return;
  const record = findHash(context);
  if (record === NO_HASH) return;
  if (record === 0) {
    replyEmptyScan(context);
    return;
  }
  const options = ScanOptions.read(context, 3);
  if (options === undefined) return;
  const { hashes } = keyspace;
  const matches = (): boolean => options.matches(context, hashes.fieldBytes, hashes.fieldStart, hashes.fieldLength);
  if (keyspace.records.encoding(record) !== ENCODING_HASHTABLE) {
    let told = 0;
    hashes.startWalk(record);
    while (hashes.next()) if (matches()) told++;
    replyCursor(reply, 0);
    reply.array(told * 2);
    hashes.startWalk(record);
    while (hashes.next()) if (matches()) replyPair(context);
    return;
  }
  const found: number[] = [];
  const next = scanTable(hashes.tables, keyspace.records.externalAddress(record), cursor, options.count, found);
  const told = found.filter((entry) => {
    hashes.readEntry(entry);
    return matches();
  });
  replyCursor(reply, next);
  reply.array(told.length * 2);
  for (const entry of told) {
    hashes.readEntry(entry);
    replyPair(context);
  }
}

function replyPair({ reply, keyspace }: CommandContext): void {
  const { hashes } = keyspace;
  reply.bulk(hashes.fieldBytes, hashes.fieldStart, hashes.fieldLength);
  reply.bulk(hashes.valueBytes, hashes.valueStart, hashes.valueLength);
}

export const HASH_WALK_COMMANDS: CommandTable = {
  HRANDFIELD: {
    arity: -2,
    flags: ["readonly"],
    acl: ["hash"],
    keys: KEY_READ,
    since: "6.2.0",
    group: "hash",
    complexity: "O(N) where N is the number of fields that are returned.",
    summary: "Returns one or several fields of a hash by chance.",
    arguments: "key [options=count [WITHVALUES]]",
    tips: ["nondeterministic_output"],
    run: randomField,
  },
  HSCAN: {
    arity: -3,
    flags: ["readonly"],
    acl: ["hash"],
    keys: KEY_READ,
    since: "2.8.0",
    group: "hash",
    complexity: "O(1) for each call, O(N) for all calls until the cursor is 0 again, where N is the number of fields.",
    summary: "Returns some fields of a hash with their values, and a cursor at which to go on.",
    arguments: "key cursor [MATCH pattern] [COUNT count]",
    tips: ["nondeterministic_output"],
    run: scan,
  },
};
