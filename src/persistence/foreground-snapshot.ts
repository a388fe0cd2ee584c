/** A snapshot of now, written at once: SAVE, the shutdown, the first base of an append-only file. */

import type { Disk } from "../core/host.ts";
import { RdbEncoder } from "../history/formats/rdb-encoder.ts";
import { type SnapshotOptions, SnapshotStream } from "../history/snapshot/snapshot-stream.ts";
import type { Keyspace } from "../store/keyspace/keyspace.ts";
import { CHUNK_BYTES } from "./background-snapshot.ts";
import { type RdbFileOptions, RdbFileWriter } from "./rdb-file-writer.ts";

/** Returns when the file is durable under its name. Throws DiskFault; what bore the name before stays then. */
export function saveNow(keyspace: Keyspace, disk: Disk, options: SnapshotOptions, file: RdbFileOptions): void {
  const encoder = new RdbEncoder(CHUNK_BYTES);
  const writer = new RdbFileWriter(disk, file);
  let stream: SnapshotStream | undefined;
  try {
    stream = new SnapshotStream(keyspace, encoder, options, (chunk) => {
      writer.write(chunk);
      encoder.giveBack(chunk.buffer);
    });
    stream.step(() => false);
    writer.finish();
  } catch (error) {
    stream?.abort();
    writer.abort();
    throw error;
  }
}
