/**
 * SyncQueue: the fsyncs of the files that the log was and is written to, one after another, beside the event loop.
 *
 *      retire ─► [old file, to 700][older present file, to 900] ─► synced, closed, oldest first
 *      sync   ─► [present file, to 950]                            only when nothing earlier is left
 *
 *  I1  At most one fsync is under way. Files are made durable in the order in which the log was written to them.
 *  I2  A file is closed once, and never while an fsync of it is under way.
 *  I3  After `leave` nobody hears of anything.
 */

import type { DiskFile } from "../../core/host.ts";

/** A file that gets no more bytes, and where the log ends in it. */
interface Retired {
  readonly file: DiskFile;
  readonly offset: number;
}

/** How an fsync of `file` ended: the log is on the device up to `offset`, or it failed. */
export type SyncEnd = (file: DiskFile, offset: number, error: Error | undefined) => void;

export class SyncQueue {
  /** An fsync is under way. */
  isBusy: boolean;
  private readonly ended: SyncEnd;
  private retired: Retired[];
  /** The file whose fsync is under way. */
  private current: DiskFile | undefined;
  /** It is to be closed when that has ended, and nothing more. */
  private isCurrentDropped: boolean;
  private isLeft: boolean;

  constructor(ended: SyncEnd) {
    this.isBusy = false;
    this.ended = ended;
    this.retired = [];
    this.current = undefined;
    this.isCurrentDropped = false;
    this.isLeft = false;
  }

  /** Files before the present one that are not known to be durable. */
  hasEarlier(): boolean {
    return this.retired.length > 0;
  }

  /** Makes the present `file` durable, which holds the log up to `offset`, unless an fsync is under way. */
  sync(file: DiskFile, offset: number): void {
    if (this.isBusy) return;
    const [first] = this.retired;
    if (first === undefined) this.start(file, offset);
    else this.start(first.file, first.offset);
  }

  /** `file` gets no more bytes: it is made durable, then closed. */
  retire(file: DiskFile, offset: number): void {
    this.retired.push({ file, offset });
    if (!this.isBusy) this.start(this.retired[0]!.file, this.retired[0]!.offset);
  }

  /** Nobody wants to know any more what of `file` is on the device: it is closed. */
  drop(file: DiskFile): void {
    if (this.current === file) this.isCurrentDropped = true;
    else file.close();
  }

  /** Makes all retired files durable before it returns. Throws DiskFault. */
  finishNow(): void {
    for (const { file } of this.retired) file.sync();
  }

  /** Closes all that is left (I3). */
  leave(): void {
    this.isLeft = true;
    for (const { file } of this.retired) this.drop(file);
    this.retired = [];
  }

  private start(file: DiskFile, offset: number): void {
    this.isBusy = true;
    this.current = file;
    file.syncLater((error) => this.end(file, offset, error));
  }

  private end(file: DiskFile, offset: number, error: Error | undefined): void {
    this.isBusy = false;
    this.current = undefined;
    const [first] = this.retired;
    if (this.isCurrentDropped) {
      this.isCurrentDropped = false;
      file.close();
    } else if (first?.file === file && (offset >= first.offset || error !== undefined)) {
      this.retired.shift();
      file.close();
    }
    // What is retired is not waited for until somebody asks: the present file waits for it.
    const [next] = this.retired;
    if (next !== undefined) this.start(next.file, next.offset);
    if (!this.isLeft) this.ended(file, offset, error);
  }
}
