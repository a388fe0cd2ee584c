/** Disk on Node: synchronous files; every failure becomes a DiskFault with operation, path and the system's reason. */

import {
  closeSync,
  fdatasync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { codeOf, DiskFault } from "../../core/faults.ts";
import type { Disk, DiskFile, FileStatus, OpenMode } from "../../core/host.ts";

const FLAGS: Record<OpenMode, string> = { read: "r", create: "w+", append: "a+", modify: "r+" };

export class NodeDisk implements Disk {
  open(path: string, mode: OpenMode): DiskFile {
    return new NodeDiskFile(
      path,
      attempt("open", path, () => openSync(path, FLAGS[mode], 0o644)),
    );
  }

  status(path: string): FileStatus | undefined {
    try {
      const status = statSync(path);
      return { bytes: status.size, modifiedMs: status.mtimeMs, isDirectory: status.isDirectory() };
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined;
      throw new DiskFault("stat", path, error);
    }
  }

  list(directory: string): string[] {
    return attempt("list", directory, () => readdirSync(directory));
  }

  makeDirectory(path: string): void {
    attempt("mkdir", path, () => mkdirSync(path, { recursive: true }));
  }

  rename(from: string, to: string): void {
    attempt("rename", from, () => renameSync(from, to));
  }

  remove(path: string): void {
    attempt("remove", path, () => rmSync(path));
  }

  link(path: string, secondPath: string): boolean {
    try {
      linkSync(path, secondPath);
      return true;
    } catch {
      return false;
    }
  }

  syncDirectory(directory: string): void {
    // Windows has no such thing; its rename is durable by itself.
    if (process.platform === "win32") return;
    attempt("fsync", directory, () => {
      const descriptor = openSync(directory, "r");
      try {
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
    });
  }
}

class NodeDiskFile implements DiskFile {
  readonly path: string;
  private readonly descriptor: number;

  constructor(path: string, descriptor: number) {
    this.path = path;
    this.descriptor = descriptor;
  }

  read(target: Uint8Array, offset: number, length: number): number {
    return attempt("read", this.path, () => readSync(this.descriptor, target, offset, length, null));
  }

  readAt(target: Uint8Array, offset: number, length: number, position: number): number {
    return attempt("read", this.path, () => readSync(this.descriptor, target, offset, length, position));
  }

  write(source: Uint8Array, offset: number, length: number): void {
    attempt("write", this.path, () => {
      // A short write is legal; the system gives its reason when nothing more goes.
      for (let written = 0; written < length; ) {
        written += writeSync(this.descriptor, source, offset + written, length - written);
      }
    });
  }

  sync(): void {
    attempt("fsync", this.path, () => fsyncSync(this.descriptor));
  }

  syncLater(done: (fault: Error | undefined) => void): void {
    // Times of the file need not be on the device, its bytes and its size do.
    fdatasync(this.descriptor, (error) => done(error === null ? undefined : new DiskFault("fsync", this.path, error)));
  }

  truncate(bytes: number): void {
    attempt("truncate", this.path, () => ftruncateSync(this.descriptor, bytes));
  }

  size(): number {
    return attempt("stat", this.path, () => fstatSync(this.descriptor).size);
  }

  close(): void {
    attempt("close", this.path, () => closeSync(this.descriptor));
  }
}

function attempt<Result>(operation: string, path: string, action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    throw new DiskFault(operation, path, error);
  }
}
