/**
 * What commands on streams record: ids as they were made, trimming as it came out, deliveries one by one.
 *
 *      XADD s MAXLEN ~ 1000 * f v              ──► XADD s MAXLEN = 1042 1700000000000-0 f v
 *      XREADGROUP GROUP g c STREAMS s >        ──► XCLAIM s g c 0 5-1 TIME … RETRYCOUNT 1 FORCE JUSTID LASTID 5-1
 *                                                  XGROUP SETID s g 5-1 ENTRIESREAD 7
 *
 *  I1  Callers ask `log.isRecording` first.
 *  I2  A consumer that was made is recorded for itself: XCLAIM would make it, but not one that was given nothing.
 *  I3  What an entry's delivery changed is recorded when it has changed; an entry that is let go, before.
 *  Source: what redis-server 7.0 writes into its append-only file. Beyond it: consumers that were given
 *  nothing, how many entries a group has read, and what reading a consumer's history counts, so that all of it is the same
 *  after a restart.
 */

import { fillId, makeId, type StreamId } from "../store/values/stream-id.ts";
import { FIRST_ID, LAST_ID } from "../store/values/streams.ts";
import type { CommandContext } from "./command.ts";
import { recordTime } from "./effects.ts";

const CLAIM_ARGUMENTS = 14;

function recordId(context: CommandContext, id: StreamId): void {
  const { registers } = context.keyspace.streams;
  context.log.bytes(registers.text, 0, registers.writeText(id));
}

/**
 * XADD or XTRIM with the last id as argument `idAt`, and with the length or first id that is there now as argument
 * `thresholdAt`, which stands behind "~"; 0: as it came. Uses the register `lastId`.
 */
export function recordTrimmed(context: CommandContext, root: number, idAt: number, thresholdAt: number): void {
  const { log, request, keyspace, database } = context;
  const { streams } = keyspace;
  const { trimming, lastId: id } = streams.registers;
  log.begin(database.index, request.count);
  for (let index = 0; index < request.count; index++) {
    if (idAt !== 0 && index === idAt) {
      streams.readId(root, LAST_ID, id);
      recordId(context, id);
    } else if (thresholdAt !== 0 && index === thresholdAt - 1) {
      log.word("=");
    } else if (thresholdAt !== 0 && index === thresholdAt) {
      if (trimming.isByLength) {
        log.integer(streams.length(root));
      } else {
        if (streams.length(root) === 0) fillId(id, true);
        else streams.readId(root, FIRST_ID, id);
        recordId(context, id);
      }
    } else {
      log.argument(request, index);
    }
  }
}

/** That `pending`, the entry with `id`, is its consumer's. `key` and `group` are arguments, `cell` the group itself. */
export function recordClaim(
  context: CommandContext,
  key: number,
  group: number,
  cell: number,
  pending: number,
  id: StreamId,
): void {
  const { log, request, keyspace, database } = context;
  const { groups } = keyspace.streams;
  const { consumers } = groups;
  const consumer = groups.consumerOf(pending);
  const lastId = makeId();
  groups.readLastId(cell, lastId);
  log.begin(database.index, CLAIM_ARGUMENTS);
  log.word("XCLAIM");
  log.argument(request, key);
  log.argument(request, group);
  log.bytes(consumers.view(consumer), consumers.nameStart(consumer), consumers.nameLength(consumer));
  log.word("0");
  recordId(context, id);
  log.word("TIME");
  recordTime(context, groups.deliveredAtMs(pending));
  log.word("RETRYCOUNT");
  recordTime(context, groups.deliveryCount(pending));
  log.word("FORCE");
  log.word("JUSTID");
  log.word("LASTID");
  recordId(context, lastId);
}

/** The group's last id, and how many entries it has read. */
export function recordProgress(context: CommandContext, key: number, group: number, cell: number): void {
  const { log, request, keyspace, database } = context;
  const { groups } = keyspace.streams;
  const lastId = makeId();
  groups.readLastId(cell, lastId);
  log.begin(database.index, 7);
  log.word("XGROUP");
  log.word("SETID");
  log.argument(request, key);
  log.argument(request, group);
  recordId(context, lastId);
  log.word("ENTRIESREAD");
  log.word(String(groups.entriesRead(cell)));
}

/** That the consumer of argument `consumer` was made. */
export function recordConsumer(context: CommandContext, key: number, group: number, consumer: number): void {
  const { log, request, database } = context;
  log.begin(database.index, 5);
  log.word("XGROUP");
  log.word("CREATECONSUMER");
  log.argument(request, key);
  log.argument(request, group);
  log.argument(request, consumer);
}
