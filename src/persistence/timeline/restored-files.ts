/**
 * A past state as files to start a server from.
 *
 *      FILE.rdb                                        one snapshot
 *
 *      DIR/appendonlydir/appendonly.aof.1.base.rdb     a data directory: for appendonly yes
 *      DIR/appendonlydir/appendonly.aof.manifest
 *      DIR/dump.rdb                                    the same snapshot once more: for appendonly no
 *
 *  I1  The manifest comes last: what was interrupted is no append-only file.
 *  I2  Nothing that is there is touched: the caller has seen to it that there is nothing.
 */

import type { Disk } from "../../core/host.ts";
import type { SnapshotOptions } from "../../history/snapshot/snapshot-stream.ts";
import type { Keyspace } from "../../store/keyspace/keyspace.ts";
import { AofDirectory } from "../append-only/aof-directory.ts";
import { saveNow } from "../foreground-snapshot.ts";
import type { LogPosition } from "./log-walk.ts";

const COPY_BYTES = 1 << 20;

export interface RestoredState {
  readonly keyspace: Keyspace;
  readonly functions: readonly Uint8Array[];
  /** What is written into the head of the snapshot: its place in the log. */
  readonly position: LogPosition;
  /** "7.2.4" */
  readonly redisVersion: string;
  readonly createdMs: number;
  readonly processId: number;
}

/** Writes one snapshot. Returns its bytes. Throws DiskFault. */
export function writeSnapshotFile(disk: Disk, path: string, state: RestoredState, isBase: boolean): number {
  const directory = path.slice(0, Math.max(path.lastIndexOf("/"), 1));
  saveNow(state.keyspace, disk, snapshotOptions(state, isBase), {
    directory,
    temporaryPath: `${path}.temp-${state.processId}`,
    finalPath: path,
    syncsOften: true,
    compression: true,
    checksum: true,
  });
  return disk.status(path)?.bytes ?? 0;
}

/** Writes a data directory. Returns the bytes of its snapshot. Throws DiskFault. */
export function writeDataDirectory(disk: Disk, path: string, state: RestoredState): number {
  if (disk.status(path) === undefined) {
    disk.makeDirectory(path);
    disk.syncDirectory(path.slice(0, Math.max(path.lastIndexOf("/"), 1)));
  }
  const aof = new AofDirectory(disk, {
    dataDirectory: path,
    directoryName: "appendonlydir",
    fileName: "appendonly.aof",
  });
  aof.make();
  const base = aof.nextBase(true);
  const bytes = writeSnapshotFile(disk, aof.pathOf(base), state, true);
  copyFile(disk, aof.pathOf(base), `${path}/dump.rdb`);
  disk.syncDirectory(path);
  aof.writeManifest({ base, increments: [], history: [] });
  return bytes;
}

function snapshotOptions({ keyspace, functions, position, ...state }: RestoredState, isBase: boolean): SnapshotOptions {
  const { replicationId, offset, timeMs } = position;
  const isPlaced = replicationId !== undefined && !Number.isNaN(offset);
  return {
    auxiliary: [
      ["redis-ver", state.redisVersion],
      ["redis-bits", "64"],
      ["ctime", String(Math.floor(state.createdMs / 1000))],
      ["used-mem", String(keyspace.arena.usedBytes)],
      ...(isPlaced
        ? ([
            ["repl-stream-db", "0"],
            ["repl-id", replicationId],
            ["repl-offset", String(offset)],
          ] as const)
        : []),
      ...(timeMs > 0 ? ([["everkey-ms", String(timeMs)]] as const) : []),
      ["aof-base", isBase ? "1" : "0"],
    ],
    functions,
    access: "none",
  };
}

/** The same file under a second name, where the disk can do that; otherwise a copy. Throws DiskFault. */
function copyFile(disk: Disk, from: string, to: string): void {
  if (disk.link?.(from, to) === true) return;
  const source = disk.open(from, "read");
  const target = disk.open(to, "create");
  try {
    const buffer = new Uint8Array(COPY_BYTES);
    for (let count = source.read(buffer, 0, COPY_BYTES); count > 0; count = source.read(buffer, 0, COPY_BYTES)) {
      target.write(buffer, 0, count);
    }
    target.sync();
  } finally {
    target.close();
    source.close();
  }
}
