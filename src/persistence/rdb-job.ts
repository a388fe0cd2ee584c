/**
 * The background job "rdb", writing: an RdbFileWriter behind messages.
 *
 *      main thread   open ─► chunk ─► chunk ─► ... ─► finish │ abort
 *      job                   ◄─ recycle  ◄─ recycle          ◄─ done │ failed
 *
 *  I1  After "failed" the job does nothing but give buffers back; the file is gone by then.
 */

import type { Disk } from "../core/host.ts";
import { type RdbFileOptions, RdbFileWriter } from "./rdb-file-writer.ts";

export type ToRdbJob =
  | { readonly kind: "open"; readonly options: RdbFileOptions }
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
        writer = new RdbFileWriter(disk, message.options);
      } else if (message.kind === "chunk") {
        writer?.write(message);
        send({ kind: "recycle", buffer: message.buffer }, [message.buffer.buffer as ArrayBuffer]);
      } else if (message.kind === "abort") {
        writer?.abort();
        writer = undefined;
      } else if (writer !== undefined) {
        writer.finish();
        send({ kind: "done", bytes: writer.writtenBytes });
        writer = undefined;
      }
    } catch (error) {
      fail(error);
    }
  };
}
