/**
 * How far a consumer group has read: its counter of entries read, and its lag behind the stream.
 *
 *      entries ever added     1 2 3 4 5 6 7 8 9
 *      still there                  4 5   7 8 9       6 was deleted: the greatest deleted id
 *      group's last id                ▲               has read 5; those behind it cannot be counted, for 6 is among them
 *
 *  I1  A counter goes up by one with each entry as long as nothing behind the group was deleted; otherwise it is found
 *      anew where the stream's own numbers allow it, or is not known (-1).
 *
 * Source: "entries-read" and "lag" as the Redis documentation of XINFO GROUPS describes them; redis-server 7.0 tried.
 */

import { compareIds, isZeroId, makeId, type StreamId } from "./stream-id.ts";
import { DELETED_ID, FIRST_ID, LAST_ID, type Streams } from "./streams.ts";

export const UNKNOWN_COUNT = -1n;

export class StreamProgress {
  private readonly deletedId: StreamId;
  private readonly firstId: StreamId;
  private readonly lastId: StreamId;
  private readonly groupId: StreamId;

  constructor() {
    this.deletedId = makeId();
    this.firstId = makeId();
    this.lastId = makeId();
    this.groupId = makeId();
  }

  /** The group was given the entry with this id, which is above its last one. hot path */
  advance(streams: Streams, root: number, group: number, id: StreamId): void {
    const { groups } = streams;
    if (groups.hasEntriesRead(group) && !this.hasDeletedFrom(streams, root, id)) groups.countRead(group);
    else if (streams.hasEverAdded(root)) groups.setEntriesRead(group, this.countUpTo(streams, root, id));
    groups.setLastId(group, id);
  }

  /** Whether an entry at or behind `id` was deleted, as far as the greatest deleted id tells. hot path */
  private hasDeletedFrom(streams: Streams, root: number, id: StreamId): boolean {
    const { deletedId, firstId } = this;
    if (streams.length(root) === 0) return false;
    streams.readId(root, DELETED_ID, deletedId);
    if (isZeroId(deletedId) || compareIds(id, deletedId) > 0) return false;
    // All that was deleted lay before the first entry: nothing is missing among those that are there.
    streams.readId(root, FIRST_ID, firstId);
    return compareIds(firstId, deletedId) <= 0;
  }

  /** How many entries were ever added up to `id`; UNKNOWN_COUNT when that cannot be told. */
  private countUpTo(streams: Streams, root: number, id: StreamId): bigint {
    const added = streams.entriesAdded(root);
    if (added === 0n) return 0n;
    const { deletedId, firstId, lastId } = this;
    const length = streams.length(root);
    streams.readId(root, LAST_ID, lastId);
    streams.readId(root, DELETED_ID, deletedId);
    const toLast = compareIds(id, lastId);
    if (length === 0 && toLast <= 0) return added;
    if (toLast === 0) return added;
    if (toLast > 0) return UNKNOWN_COUNT;
    streams.readId(root, FIRST_ID, firstId);
    if (!isZeroId(deletedId) && compareIds(deletedId, firstId) >= 0) return UNKNOWN_COUNT;
    const toFirst = compareIds(id, firstId);
    if (toFirst > 0) return UNKNOWN_COUNT;
    return added - BigInt(length) + (toFirst === 0 ? 1n : 0n);
  }

  /** Entries that the group has not read yet; undefined when that cannot be told. */
  lag(streams: Streams, root: number, group: number): bigint | undefined {
    const { groups } = streams;
    const added = streams.entriesAdded(root);
    if (added === 0n) return 0n;
    groups.readLastId(group, this.groupId);
    const read = groups.entriesRead(group);
    if (read !== UNKNOWN_COUNT && !this.hasDeletedFrom(streams, root, this.groupId)) return added - read;
    const found = this.countUpTo(streams, root, this.groupId);
    return found === UNKNOWN_COUNT ? undefined : added - found;
  }
}
