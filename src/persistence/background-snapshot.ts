/**
 * BackgroundSnapshot: one snapshot on its way into a file, while commands go on.
 *
 *      SnapshotStream ── slices of half a millisecond between commands ──► chunks ──► job "rdb" ──► the file
 *                              ▲ waits while CHUNKS_MAX are on their way           ◄── buffers come back
 *
 *  I1  The state in the file is that of the moment at which this was made.
 *  I2  At most CHUNKS_MAX chunks wait for the job; the walk waits for it, writes to the keyspace never do.
 *  I3  `ended` is called once, unless it is given up; then the file never takes its place.
 */

import type { Background, BackgroundJob, Clock } from "../core/host.ts";
import { type RdbChunk, RdbEncoder } from "../history/formats/rdb-encoder.ts";
import { type SnapshotOptions, SnapshotStream } from "../history/snapshot/snapshot-stream.ts";
import type { Keyspace } from "../store/keyspace/keyspace.ts";
import type { RdbFileOptions } from "./rdb-file-writer.ts";
import { type FromRdbJob, giveUp, newFate, type ToRdbJob } from "./rdb-job.ts";

const SLICE_MS = 0.5;
/** A chunk is handed on at 256 KiB; what a last long string adds seldom makes it grow. */
export const CHUNK_BYTES = 384 * 1024;
const CHUNKS_MAX = 16;

export interface BackgroundSnapshotServices {
  readonly clock: Clock;
  readonly background: Background;
}

/** How it ended: the size of the file, or what went wrong. */
export type SnapshotEnd = { readonly bytes: number } | { readonly error: Error };

export class BackgroundSnapshot {
  readonly temporaryPath: string;
  readonly startMs: number;
  private readonly services: BackgroundSnapshotServices;
  private readonly ended: (end: SnapshotEnd) => void;
  private readonly job: BackgroundJob;
  private readonly encoder: RdbEncoder;
  private readonly stream: SnapshotStream;
  /** Who decides whether the file takes its place: see rdb-job.ts. */
  private readonly fate: Int32Array;
  private waitingChunks: number;
  private isStreamDone: boolean;
  private hasSlice: boolean;
  private hasEnded: boolean;

  /** Opens the snapshot; no other may be open. Throws when the system gives no thread for it. */
  constructor(
    keyspace: Keyspace,
    services: BackgroundSnapshotServices,
    file: RdbFileOptions,
    options: SnapshotOptions,
    ended: (end: SnapshotEnd) => void,
  ) {
    this.temporaryPath = file.temporaryPath;
    this.startMs = services.clock.monotonicMs();
    this.services = services;
    this.ended = ended;
    this.job = services.background.start("rdb");
    this.encoder = new RdbEncoder(CHUNK_BYTES);
    this.fate = newFate();
    this.waitingChunks = 0;
    this.isStreamDone = false;
    this.hasSlice = false;
    this.hasEnded = false;
    this.job.onMessage((message) => this.receive(message as FromRdbJob));
    this.job.onFailure((error) => this.fail(error));
    this.post({ kind: "open", options: file, fate: this.fate });
    this.stream = new SnapshotStream(keyspace, this.encoder, options, (chunk) => this.send(chunk));
    this.planSlice();
  }

  /** Seconds since it began; keys written, and keys in all. */
  progress(): { seconds: number; writtenKeys: number; keys: number } {
    const { writtenKeys, keyCount } = this.stream;
    return { seconds: this.elapsedSeconds(), writtenKeys, keys: keyCount };
  }

  elapsedSeconds(): number {
    return (this.services.clock.monotonicMs() - this.startMs) / 1000;
  }

  /** Gives it up (I3). The job removes its file when it reads of it, unless the end of the process comes first. */
  abort(): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.stream.abort();
    giveUp(this.fate);
    this.post({ kind: "abort" });
    this.job.end(false);
  }

  private post(message: ToRdbJob, transfer?: ArrayBuffer[]): void {
    this.job.post(message, transfer);
  }

  private send(chunk: RdbChunk): void {
    this.waitingChunks++;
    this.post({ kind: "chunk", ...chunk }, [chunk.buffer.buffer as ArrayBuffer]);
  }

  private planSlice(): void {
    if (this.hasSlice || this.isStreamDone || this.waitingChunks >= CHUNKS_MAX) return;
    this.hasSlice = true;
    this.services.clock.soon(() => {
      this.hasSlice = false;
      if (!this.hasEnded) this.runSlice();
    });
  }

  private runSlice(): void {
    const { clock } = this.services;
    const endMs = clock.monotonicMs() + SLICE_MS;
    const isDone = this.stream.step(() => this.waitingChunks >= CHUNKS_MAX || clock.monotonicMs() >= endMs);
    if (isDone) {
      this.isStreamDone = true;
      this.post({ kind: "finish" });
    } else {
      this.planSlice();
    }
  }

  private receive(message: FromRdbJob): void {
    if (this.hasEnded) return;
    if (message.kind === "recycle") {
      this.waitingChunks--;
      this.encoder.giveBack(message.buffer);
      this.planSlice();
    } else if (message.kind === "done") {
      this.hasEnded = true;
      this.job.end(true);
      this.ended({ bytes: message.bytes });
    } else {
      this.fail(Object.assign(new Error(message.text), { code: message.code }));
    }
  }

  private fail(error: Error): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.stream.abort();
    this.job.end(false);
    this.ended({ error });
  }
}
