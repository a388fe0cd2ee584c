/**
 * The background job "rdb", checking: the check sum of a whole RDB file, while the main thread loads it.
 *
 *      main thread   check ─────────────────────────────►
 *      job                   reads the file, sums it up    ◄─ sum │ failed
 *
 *  I1  The file is read, never written. A file whose last eight bytes are zero carries no sum and is right.
 *
 * Summing up takes a tenth of a load; here it costs the main thread nothing. Source: RDB's CRC-64 (see core/crc64.ts).
 */

import { Crc64 } from "../core/crc64.ts";
import type { Disk } from "../core/host.ts";

const PIECE_BYTES = 1024 * 1024;
const SUM_BYTES = 8;

export interface ToChecksumJob {
  readonly kind: "check";
  readonly path: string;
  /** Size of the file when its load began. */
  readonly bytes: number;
}

export type FromChecksumJob =
  | { readonly kind: "sum"; readonly isRight: boolean }
  | { readonly kind: "failed"; readonly text: string };

/** The job's own side. */
export function checksumJob(disk: Disk, send: (message: FromChecksumJob) => void): (message: ToChecksumJob) => void {
  return ({ path, bytes }) => {
    try {
      send({ kind: "sum", isRight: isSumRight(disk, path, bytes) });
    } catch (error) {
      send({ kind: "failed", text: error instanceof Error ? error.message : String(error) });
    }
  };
}

function isSumRight(disk: Disk, path: string, bytes: number): boolean {
  const file = disk.open(path, "read");
  try {
    const sum = new Crc64();
    const piece = new Uint8Array(PIECE_BYTES);
    const summed = Math.max(bytes - SUM_BYTES, 0);
    for (let done = 0; done < summed; ) {
      const got = file.read(piece, 0, Math.min(PIECE_BYTES, summed - done));
      if (got === 0) return false;
      sum.update(piece, 0, got);
      done += got;
    }
    let filled = 0;
    while (filled < SUM_BYTES) {
      const got = file.read(piece, filled, SUM_BYTES - filled);
      if (got === 0) return false;
      filled += got;
    }
    return piece.subarray(0, SUM_BYTES).every((byte) => byte === 0) || sum.equalsDigest(piece, 0);
  } finally {
    file.close();
  }
}
