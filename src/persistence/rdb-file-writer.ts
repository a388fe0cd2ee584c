/**
 * RdbFileWriter: chunks of a snapshot become a file that is either whole or not there.
 *
 *      chunks ─► RdbFinisher (compression, check sum) ─► temporary file ─► fsync ─► rename ─► fsync of the directory
 *
 *  I1  The file under its final name is the old one or the complete new one, whatever fails in between.
 *  I2  A failure removes the temporary file (as far as the disk lets us) and is reported once.
 *
 * Runs in a background thread for BGSAVE and in place for SAVE; it does not know which.
 */

import type { Disk, DiskFile } from "../core/host.ts";
import type { RdbChunk } from "../history/formats/rdb-encoder.ts";
import { RdbFinisher, type RdbFinisherOptions } from "../history/formats/rdb-finisher.ts";

/** With rdb-save-incremental-fsync, data goes to the device this often instead of all at the end. */
const SYNC_BYTES = 4 * 1024 * 1024;

export interface RdbFileOptions extends RdbFinisherOptions {
  readonly directory: string;
  readonly temporaryPath: string;
  readonly finalPath: string;
  readonly syncsOften: boolean;
}

export class RdbFileWriter {
  /** Bytes in the file. */
  writtenBytes: number;
  private readonly disk: Disk;
  private readonly options: RdbFileOptions;
  private readonly finisher: RdbFinisher;
  private readonly file: DiskFile;
  private unsyncedBytes: number;
  private isOpen: boolean;

  /** Opens the temporary file. Throws DiskFault. */
  constructor(disk: Disk, options: RdbFileOptions) {
    this.disk = disk;
    this.options = options;
    this.finisher = new RdbFinisher(options);
    this.writtenBytes = 0;
    this.unsyncedBytes = 0;
    this.file = disk.open(options.temporaryPath, "create");
    this.isOpen = true;
  }

  /** Writes one chunk; its buffer may be used again afterwards. Throws DiskFault. */
  write(chunk: RdbChunk): void {
    const bytes = this.finisher.finish(chunk.buffer, chunk.length, chunk.notes, chunk.noteCount);
    this.file.write(bytes, 0, bytes.length);
    this.writtenBytes += bytes.length;
    this.unsyncedBytes += bytes.length;
    if (this.options.syncsOften && this.unsyncedBytes >= SYNC_BYTES) {
      this.file.sync();
      this.unsyncedBytes = 0;
    }
  }

  /**
   * Makes the file durable under its final name (I1); `mayReplace` is asked when only the renaming is left, and removes
   * the file when it says no. Throws DiskFault.
   */
  finish(mayReplace: () => boolean = () => true): void {
    const trailer = this.finisher.trailer();
    this.file.write(trailer, 0, trailer.length);
    this.writtenBytes += trailer.length;
    this.file.sync();
    this.isOpen = false;
    this.file.close();
    if (!mayReplace()) {
      this.abort();
      return;
    }
    this.disk.rename(this.options.temporaryPath, this.options.finalPath);
    this.disk.syncDirectory(this.options.directory);
  }

  /** Gives up: closes and removes the temporary file. Never throws: there is nothing left to decide. */
  abort(): void {
    // A second close would hit whatever file or socket has got the same descriptor since.
    if (this.isOpen) {
      this.isOpen = false;
      try {
        this.file.close();
      } catch {
        // The file is given up: what its close could not do is of no interest.
      }
    }
    try {
      this.disk.remove(this.options.temporaryPath);
    } catch {
      // What cannot be removed does not harm: the next snapshot, or a later start, sees to it.
    }
  }
}
