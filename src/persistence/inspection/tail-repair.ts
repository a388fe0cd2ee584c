/**
 * Cuts the torn tail off the last increment: the only thing that `check --fix` ever changes.
 *
 *      1  copy the file     NAME ─► NAME.broken-TIME.tmp, fsync        a crash leaves: the file as it was, a .tmp to remove
 *      2  name the copy     ─► NAME.broken-TIME, fsync of the folder   the file as it was, and a copy of it
 *      3  cut               truncate to the last whole unit, fsync     the file torn or whole, and the copy of the torn one
 *
 *  I1  Whenever it is interrupted, every byte that was there is still there, in the file or in the copy.
 *  I2  A file that somebody has written to since it was checked is not touched.
 */

import { DiskFault } from "../../core/faults.ts";
import type { Disk } from "../../core/host.ts";
import type { Check } from "./integrity.ts";
import { directoryOf } from "./places.ts";
import type { Problem } from "./problem.ts";

const PIECE_BYTES = 1 << 20;
/** Of what is cut off, so much is shown. */
const BEGINNING_BYTES = 160;

export interface TailCut {
  readonly path: string;
  /** Length of the file afterwards. */
  readonly keptBytes: number;
  readonly cutBytes: number;
  /** The first bytes of what was cut off. */
  readonly beginning: Uint8Array;
  /** The original, whole. */
  readonly asidePath: string;
}

/** The problem that a cut would mend, undefined when there is none of that kind. */
export function tornTail({ problems }: Check): Problem | undefined {
  return problems.find(({ isTornTail }) => isTornTail);
}

/** The file has changed since it was checked (I2). */
export class TailChanged extends Error {
  override name = "TailChanged";
}

/**
 * Cuts what `problem` found. `checkedBytes`: the file's size when it was checked; `nowMs` names the copy. Throws DiskFault
 * (the file is then as it was, unless the very last fsync failed), TailChanged.
 */
export function cutTail(disk: Disk, problem: Problem, checkedBytes: number, nowMs: number): TailCut {
  const { path, wholeBytes } = problem;
  const asidePath = freeName(disk, `${path}.broken-${timeName(nowMs)}`);
  const beginning = setAside(disk, path, asidePath, checkedBytes, wholeBytes);
  const file = disk.open(path, "modify");
  try {
    if (file.size() !== checkedBytes) throw changed(path);
    file.truncate(wholeBytes);
    file.sync();
  } finally {
    file.close();
  }
  return { path, keptBytes: wholeBytes, cutBytes: checkedBytes - wholeBytes, beginning, asidePath };
}

function changed(path: string): TailChanged {
  return new TailChanged(`${path} has changed while it was looked at: a server writes to it. Nothing was cut`);
}

/** Steps 1 and 2; returns the first bytes behind `wholeBytes`. */
function setAside(disk: Disk, path: string, asidePath: string, bytes: number, wholeBytes: number): Uint8Array {
  const temporaryPath = `${asidePath}.tmp`;
  const from = disk.open(path, "read");
  try {
    if (from.size() !== bytes) throw changed(path);
    const beginning = new Uint8Array(Math.min(BEGINNING_BYTES, bytes - wholeBytes));
    const got = from.readAt(beginning, 0, beginning.length, wholeBytes);
    const to = disk.open(temporaryPath, "create");
    let isOpen = true;
    try {
      const piece = new Uint8Array(PIECE_BYTES);
      for (let at = 0; at < bytes; ) {
        const count = from.readAt(piece, 0, Math.min(PIECE_BYTES, bytes - at), at);
        if (count <= 0) throw changed(path);
        to.write(piece, 0, count);
        at += count;
      }
      to.sync();
      isOpen = false;
      to.close();
      disk.rename(temporaryPath, asidePath);
    } catch (error) {
      if (isOpen) to.close();
      forget(disk, temporaryPath);
      throw error;
    }
    const directory = directoryOf(path);
    disk.syncDirectory(directory === "" ? "." : directory);
    return beginning.subarray(0, got);
  } finally {
    from.close();
  }
}

function forget(disk: Disk, path: string): void {
  try {
    disk.remove(path);
  } catch (error) {
    // What cannot be removed is named .tmp and does no harm; the first failure is the one to tell.
    if (!(error instanceof DiskFault)) throw error;
  }
}

function freeName(disk: Disk, path: string): string {
  let name = path;
  for (let number = 2; disk.status(name) !== undefined; number++) name = `${path}-${number}`;
  return name;
}

/** 20261121T101503Z */
function timeName(nowMs: number): string {
  return new Date(nowMs).toISOString().replace(/[-:]/g, "").replace(/\.\d+/, "");
}
