/**
 * The background job "rdb", keeping files in order: small steps on the disk that must not hold the event loop, since each
 * may wait for the device.
 *
 *      main thread   [write a][rename a b][sync dir]  ──►
 *      job             ✓        ✓          ✓              ◄─ chores done │ failed, with the step that did
 *
 *  I1  Steps are done in order; the first that fails ends the list.
 *  I2  A file that was written is on the device before the next step begins.
 */

import { codeOf } from "../core/faults.ts";
import type { Background, BackgroundJob, Disk } from "../core/host.ts";
import { CommandBase } from "../history/formats/command-base.ts";

export type Chore =
  | { readonly step: "write"; readonly path: string; readonly bytes: Uint8Array }
  | { readonly step: "rename"; readonly path: string; readonly to: string }
  | { readonly step: "syncDirectory"; readonly path: string }
  /** Nothing happens when it is not there. */
  | { readonly step: "remove"; readonly path: string }
  /** Writes the snapshot at `path` as commands to the file `to`. */
  | { readonly step: "toCommands"; readonly path: string; readonly to: string; readonly timestampSeconds?: number };

export interface ToChoresJob {
  readonly kind: "chores";
  readonly chores: readonly Chore[];
}

export type FromChoresJob =
  | { readonly kind: "chores done" }
  | { readonly kind: "failed"; readonly text: string; readonly code: string };

/** The job's own side. */
export function choresJob(disk: Disk, send: (message: FromChoresJob) => void): (message: ToChoresJob) => void {
  return ({ chores }) => {
    try {
      for (const chore of chores) doChore(disk, chore);
      send({ kind: "chores done" });
    } catch (error) {
      send({ kind: "failed", text: error instanceof Error ? error.message : String(error), code: codeOf(error) });
    }
  };
}

/** Throws DiskFault, RdbFault. */
export function doChore(disk: Disk, chore: Chore): void {
  if (chore.step === "write") writeFile(disk, chore.path, chore.bytes);
  else if (chore.step === "rename") disk.rename(chore.path, chore.to);
  else if (chore.step === "syncDirectory") disk.syncDirectory(chore.path);
  else if (chore.step === "toCommands") writeCommands(disk, chore.path, chore.to, chore.timestampSeconds);
  else if (disk.status(chore.path) !== undefined) disk.remove(chore.path);
}

function writeFile(disk: Disk, path: string, bytes: Uint8Array): void {
  const file = disk.open(path, "create");
  try {
    file.write(bytes, 0, bytes.length);
    file.sync();
  } finally {
    file.close();
  }
}

function writeCommands(disk: Disk, path: string, to: string, timestampSeconds: number | undefined): void {
  const source = disk.open(path, "read");
  try {
    const target = disk.open(to, "create");
    try {
      new CommandBase(source, target, { totalBytes: source.size(), timestampSeconds }).step(() => false);
      target.sync();
    } finally {
      target.close();
    }
  } finally {
    source.close();
  }
}

/** Has `chores` done in the background; `done` hears of the first failure, or of none. */
export function runChores(
  background: Background,
  chores: readonly Chore[],
  done: (error: Error | undefined) => void,
): void {
  let job: BackgroundJob;
  try {
    job = background.start("rdb");
  } catch (error) {
    done(error as Error);
    return;
  }
  job.onFailure(done);
  job.onMessage((message) => {
    const result = message as FromChoresJob;
    job.end(true);
    done(result.kind === "failed" ? Object.assign(new Error(result.text), { code: result.code }) : undefined);
  });
  job.post({ kind: "chores", chores } satisfies ToChoresJob);
}
