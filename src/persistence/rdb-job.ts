/**
 * The background job "rdb", writing: an RdbFileWriter behind messages.
 *
 *      main thread   open ─► chunk ─► chunk ─► ... ─► finish │ abort
 *      job                   ◄─ recycle  ◄─ recycle          ◄─ done │ failed
 *
 *  I1  After "failed" the job does nothing but give buffers back; the file is gone by then.
 *  I2  Messages come late to a job that is behind, so whether it may still replace the snapshot is decided in memory that
 *      both threads share: the first to change UNDECIDED wins, and who gives up waits for a renaming that has begun.
 *
 *      fate   UNDECIDED ──┬── job: REPLACING ──► ENDED
 *                         └── main thread: GIVEN_UP
 */

import type { Disk } from "../core/host.ts";
import { type RdbFileOptions, RdbFileWriter } from "./rdb-file-writer.ts";

const UNDECIDED = 0;
const REPLACING = 1;
const ENDED = 2;
const GIVEN_UP = 3;

/** The fate of a new job's file, one shared cell. */
export function newFate(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4));
}

/** Takes the job the right to replace the snapshot (I2); afterwards it has either done so or never will. */
export function giveUp(fate: Int32Array): void {
  if (Atomics.compareExchange(fate, 0, UNDECIDED, GIVEN_UP) === REPLACING) Atomics.wait(fate, 0, REPLACING);
}

export type ToRdbJob =
  | { readonly kind: "open"; readonly options: RdbFileOptions; readonly fate: Int32Array }
  | {
      readonly kind: "chunk";
      readonly buffer: Uint8Array;
      readonly length: number;
      readonly notes: Int32Array;
      readonly noteCount: number;
    }
  | { readonly kind: "finish" }
  | { readonly kind: "abort" };

export type FromRdbJob =
  | { readonly kind: "recycle"; readonly buffer: Uint8Array }
  | { readonly kind: "done"; readonly bytes: number }
  | { readonly kind: "failed"; readonly text: string; readonly code: string };

/** The job's own side. `send` answers; buffers in messages are moved, not copied. */
export function rdbJob(
  disk: Disk,
  send: (message: FromRdbJob, transfer?: ArrayBuffer[]) => void,
): (message: ToRdbJob) => void {
  let writer: RdbFileWriter | undefined;
  let fate = newFate();
  const finish = (file: RdbFileWriter): void => {
    const isMine = (): boolean => Atomics.compareExchange(fate, 0, UNDECIDED, REPLACING) === UNDECIDED;
    try {
      file.finish(isMine);
    } finally {
      if (Atomics.compareExchange(fate, 0, REPLACING, ENDED) === REPLACING) Atomics.notify(fate, 0);
    }
  };
  const fail = (error: unknown): void => {
    writer?.abort();
    writer = undefined;
    const code = (error as { code?: unknown }).code;
    send({
      kind: "failed",
      text: error instanceof Error ? error.message : String(error),
      code: typeof code === "string" ? code : "",
    });
  };
  return (message) => {
    try {
      if (message.kind === "open") {
        fate = message.fate;
        writer = new RdbFileWriter(disk, message.options);
      } else if (message.kind === "chunk") {
        writer?.write(message);
        send({ kind: "recycle", buffer: message.buffer }, [message.buffer.buffer as ArrayBuffer]);
      } else if (message.kind === "abort") {
        writer?.abort();
        writer = undefined;
      } else if (writer !== undefined) {
        finish(writer);
        send({ kind: "done", bytes: writer.writtenBytes });
        writer = undefined;
      }
    } catch (error) {
      fail(error);
    }
  };
}
