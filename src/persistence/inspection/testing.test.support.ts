/** Files for the tests of this folder: commands, annotations, and RDB files of the real server, on a disk in memory. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../../../test/support/repository.ts";
import { VirtualDisk } from "../../../test/support/virtual-disk.ts";
import type { Random } from "../../core/host.ts";
import { ANNOTATION_BYTES_MAX, writeMark, writePosition } from "../../history/formats/aof-annotations.ts";

export const REPLICATION_ID = "0123456789abcdef0123456789abcdef01234567";

/** A command as a client sends it. */
export function command(...words: readonly (string | Uint8Array)[]): Buffer {
  const parts = words.flatMap((word) => {
    const bytes = Buffer.from(word as string);
    return [Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n")];
  });
  return Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...parts]);
}

/** An annotation that says where the log stands. */
export function at(offset: number, timeMs = 1000, replicationId = REPLICATION_ID): Buffer {
  const line = Buffer.alloc(ANNOTATION_BYTES_MAX);
  return line.subarray(0, writePosition(line, 0, timeMs, replicationId, offset));
}

/** An annotation that says when, and by whom. */
export function mark(timeMs: number, source = ""): Buffer {
  const line = Buffer.alloc(ANNOTATION_BYTES_MAX);
  return line.subarray(0, writeMark(line, 0, timeMs, source));
}

/** An RDB file of the real server. */
export function golden(name: string): Buffer {
  return readFileSync(join(repositoryRoot(), "test", "golden", `${name}.rdb`));
}

/** A disk with these files; folders are made for them. */
export function diskWith(files: Readonly<Record<string, Uint8Array | string>>): VirtualDisk {
  const disk = new VirtualDisk();
  for (const [path, bytes] of Object.entries(files)) {
    const folders = path.split("/").slice(1, -1);
    for (let count = 1; count <= folders.length; count++) disk.makeDirectory(`/${folders.slice(0, count).join("/")}`);
    disk.put(path, Buffer.from(bytes as string));
  }
  disk.syncDirectory("/");
  return disk;
}

/** No chance at all: tests that check files need none. */
export const SAME: Random = { uint32: () => 7, fill: (target) => void target.fill(7) };

export const FOLDER = "/data/appendonlydir";

/** A manifest with a base and increments of these numbers. */
export function manifest(base: number, increments: readonly number[], ending = "rdb"): string {
  const lines = increments.map((seq) => `file appendonly.aof.${seq}.incr.aof seq ${seq} type i\n`);
  return `file appendonly.aof.${base}.base.${ending} seq ${base} type b\n${lines.join("")}`;
}
