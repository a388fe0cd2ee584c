/**
 * What kind of bytes a file holds, by how it begins: RDB, commands, or an RDB with commands behind it.
 *
 *      REDIS0010 ... EOF, check sum                          rdb
 *      REDIS0010 ... EOF, check sum   *3\r\n$3\r\nSET ...    rdb, and commands behind it
 *      *3\r\n$3\r\nSET ...   #TS:1700000000\r\n ...          aof
 *
 *  Source: how redis-server 7.0 tells them apart.
 */

import type { DiskFile } from "../../core/host.ts";
import type { PlacedFile } from "./places.ts";
import { type Problem, problemOf } from "./problem.ts";

export type ContentKind = "rdb" | "aof" | "unknown";

const HEAD_BYTES = 9;
const SIGNATURE = "REDIS";

/** What `file` begins with, and what is wrong when it begins with neither. Throws DiskFault. */
export function contentOf(file: DiskFile, placed: PlacedFile): { kind: ContentKind; problem: Problem | undefined } {
  const head = headOf(file, 0);
  const isPart = placed.role !== "file" && placed.role !== "snapshot";
  if (head.length === 0) {
    // An increment that nothing was written to yet, an AOF of a server that was just started.
    const mayBeEmpty = isPart ? placed.role !== "base" : placed.name.endsWith(".aof");
    if (mayBeEmpty) return { kind: "aof", problem: undefined };
    return {
      kind: "unknown",
      problem: problemOf({
        path: file.path,
        offset: 0,
        wholeBytes: 0,
        message: "the file is empty",
        advice: "Take another copy of it.",
      }),
    };
  }
  if (head.startsWith(SIGNATURE) || (head.length < SIGNATURE.length && SIGNATURE.startsWith(head))) {
    return { kind: "rdb", problem: undefined };
  }
  const first = head[0]!;
  const isIncrement = isPart && placed.role !== "base";
  if (first === "*" || first === "#" || isIncrement || /\.aof$/.test(placed.name))
    return { kind: "aof", problem: undefined };
  return {
    kind: "unknown",
    problem: problemOf({ path: file.path, offset: 0, wholeBytes: 0, reading: "header", ...strange(head) }),
  };
}

/** Whether a file's bytes go on with commands at `position`. */
export function hasCommandsAt(file: DiskFile, position: number): boolean {
  const head = headOf(file, position);
  return head.startsWith("*") || head.startsWith("#");
}

function strange(head: string): { message: string; advice: string } {
  if (head.startsWith("VALKEY")) {
    return {
      message: "this is an RDB file of Valkey 9 or newer, whose form is not supported",
      advice:
        "Move the data with a client (DUMP and RESTORE of each key do not fit either: read and write the values).",
    };
  }
  if (head.startsWith("\x1f\x8b"))
    return { message: "the file is compressed with gzip", advice: "Unpack it first: gunzip -k FILE" };
  if (head.startsWith("\x28\xb5\x2f\xfd"))
    return { message: "the file is compressed with zstd", advice: "Unpack it first: unzstd FILE" };
  return {
    message: "this is neither an RDB file (it would begin with REDIS) nor an append-only file (with * or #)",
    advice: "Give the path of a file that a server has written.",
  };
}

function headOf(file: DiskFile, position: number): string {
  const bytes = new Uint8Array(HEAD_BYTES);
  let filled = 0;
  while (filled < HEAD_BYTES) {
    const got = file.readAt(bytes, filled, HEAD_BYTES - filled, position + filled);
    if (got <= 0) break;
    filled += got;
  }
  return Buffer.from(bytes.buffer, 0, filled).toString("latin1");
}
