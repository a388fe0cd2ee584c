/**
 * Rehearsal: a few small snapshots under writes, of a keyspace made for it, before the server serves.
 *
 *      scratch keyspace ── writes ──┐
 *                       └─ stream ──┴─► chunks, thrown away
 *
 *  I1  Nothing of the server's own data is touched, and nothing is left behind.
 *
 * The first BGSAVE would otherwise run new code at its slowest just when a server is busiest: every write then captures
 * a chain, and the code for writes, compiled while no snapshot ever ran, is thrown away and interpreted. That was a
 * stall of 10 ms with 50 clients; the rehearsal takes a few hundredths of a second of the start.
 */

import type { Random } from "../core/host.ts";
import { KeyHash } from "../core/sip-hash.ts";
import { RdbEncoder } from "../history/formats/rdb-encoder.ts";
import { SnapshotStream } from "../history/snapshot/snapshot-stream.ts";
import { Keyspace, NO_EXPIRY } from "../store/keyspace/keyspace.ts";

const ROUND_COUNT = 4;
const KEY_COUNT = 6000;
const WRITES_PER_SLICE = 16;

export function rehearseSnapshots(random: Random): void {
  const keyspace = new Keyspace(new KeyHash(random.uint32(), random.uint32()), 1);
  const database = keyspace.databases[0]!;
  const key = new Uint8Array(12);
  const value = new Uint8Array(24).fill(120);
  const write = (number: number): void => {
    for (let place = key.length - 1; place >= 0; place--) {
      key[place] = 48 + (number % 10);
      number = Math.floor(number / 10);
    }
    const length = 3 + (number % 20);
    keyspace.setString(database, key, 0, key.length, value, 0, length, NO_EXPIRY);
  };
  for (let number = 0; number < KEY_COUNT; number++) write(number);
  for (let round = 0; round < ROUND_COUNT; round++) {
    const encoder = new RdbEncoder();
    const stream = new SnapshotStream(keyspace, encoder, { auxiliary: [], access: "none" }, (chunk) =>
      encoder.giveBack(chunk.buffer),
    );
    let isOver = false;
    while (!isOver) {
      for (let count = 0; count < WRITES_PER_SLICE; count++) write(random.uint32() % KEY_COUNT);
      isOver = stream.step(() => true);
    }
  }
}
