/** WatchedFile: a file that is only read, and tells how much of it has been. Source of RdbReader and AofReader alike. */

import { assert } from "../../core/assert.ts";
import type { Disk, DiskFile } from "../../core/host.ts";

/** Bytes between two calls of the listener. */
const STEP_BYTES = 1 << 20;

/** Hears how many bytes of a file have been read, more or less every megabyte. */
export type ReadListener = (readBytes: number) => void;

export class WatchedFile implements DiskFile {
  readonly path: string;
  private readonly file: DiskFile;
  private readonly onRead: ReadListener | undefined;
  private position: number;
  private toldBytes: number;

  /** Throws DiskFault. */
  constructor(disk: Disk, path: string, onRead: ReadListener | undefined) {
    this.path = path;
    this.file = disk.open(path, "read");
    this.onRead = onRead;
    this.position = 0;
    this.toldBytes = 0;
  }

  read(target: Uint8Array, offset: number, length: number): number {
    const count = this.readAt(target, offset, length, this.position);
    this.position += count;
    return count;
  }

  readAt(target: Uint8Array, offset: number, length: number, position: number): number {
    const count = this.file.readAt(target, offset, length, position);
    if (this.onRead !== undefined && position + count - this.toldBytes >= STEP_BYTES) {
      this.toldBytes = position + count;
      this.onRead(this.toldBytes);
    }
    return count;
  }

  size(): number {
    return this.file.size();
  }

  close(): void {
    this.file.close();
  }

  write(): void {
    assert(false, "an inspected file is not written");
  }

  sync(): void {
    assert(false, "an inspected file is not written");
  }

  syncLater(): void {
    assert(false, "an inspected file is not written");
  }

  truncate(): void {
    assert(false, "an inspected file is not written");
  }
}
