/**
 * A disk in memory for the tests of this folder: what was not synced is lost by a crash, and it can fail at any step.
 *
 *      write ──► content ──sync──► durable content      create, rename, remove ──► names ──syncDirectory──► durable names
 */

import { DiskFault } from "../../core/faults.ts";
import type { Disk, DiskFile, FileStatus, OpenMode } from "../../core/host.ts";

interface Content {
  bytes: Buffer;
  durable: Buffer;
}

export class MemoryDisk implements Disk {
  names = new Map<string, Content>();
  private durableNames = new Map<string, Content>();
  /** What was done, in order. */
  readonly steps: string[] = [];
  /** The step (from 0) that fails with EIO, and all that follow until `failsUntil`. */
  failsFrom = Number.POSITIVE_INFINITY;
  /** The step from which on all goes well again. */
  failsUntil = Number.POSITIVE_INFINITY;

  /** Puts a file there as if it had been there for ever. */
  put(path: string, text: string): void {
    const bytes = Buffer.from(text, "latin1");
    const content = { bytes, durable: bytes };
    this.names.set(path, content);
    this.durableNames.set(path, content);
  }

  text(path: string): string | undefined {
    return this.names.get(path)?.bytes.toString("latin1");
  }

  /** What another start would find after a power cut now. */
  textAfterCrash(path: string): string | undefined {
    return this.durableNames.get(path)?.durable.toString("latin1");
  }

  private step(operation: string, path: string): void {
    this.steps.push(`${operation} ${path}`);
    const step = this.steps.length - 1;
    if (step >= this.failsFrom && step < this.failsUntil) throw this.fault(operation, path, "EIO");
  }

  private fault(operation: string, path: string, code: string): DiskFault {
    return new DiskFault(operation, path, Object.assign(new Error(code), { code }));
  }

  open(path: string, mode: OpenMode): DiskFile {
    let content = this.names.get(path);
    if (mode === "create") {
      this.step("create", path);
      content = { bytes: Buffer.alloc(0), durable: Buffer.alloc(0) };
      this.names.set(path, content);
    }
    if (content === undefined) throw this.fault("open", path, "ENOENT");
    return this.file(path, content);
  }

  private file(path: string, content: Content): DiskFile {
    let position = 0;
    const readAt = (target: Uint8Array, offset: number, length: number, at: number) => {
      const part = content.bytes.subarray(at, at + length);
      target.set(part, offset);
      return part.length;
    };
    return {
      path,
      read: (target, offset, length) => {
        const count = readAt(target, offset, length, position);
        position += count;
        return count;
      },
      readAt,
      write: (source, offset, length) => {
        this.step("write", path);
        content.bytes = Buffer.concat([content.bytes, source.subarray(offset, offset + length)]);
      },
      sync: () => {
        this.step("sync", path);
        content.durable = content.bytes;
      },
      syncLater: (done) => done(undefined),
      truncate: () => {},
      size: () => content.bytes.length,
      close: () => {},
    };
  }

  status(path: string): FileStatus | undefined {
    const content = this.names.get(path);
    if (content !== undefined) return { bytes: content.bytes.length, modifiedMs: 0, isDirectory: false };
    const isDirectory = path === "/" || [...this.names.keys()].some((name) => name.startsWith(`${path}/`));
    return isDirectory ? { bytes: 0, modifiedMs: 0, isDirectory } : undefined;
  }

  list(directory: string): string[] {
    const prefix = directory === "/" ? "/" : `${directory}/`;
    const inside = [...this.names.keys()].filter((name) => name.startsWith(prefix));
    return [...new Set(inside.map((name) => name.slice(prefix.length).split("/")[0]!))];
  }

  makeDirectory(): void {}

  rename(from: string, to: string): void {
    this.step("rename", from);
    this.names.set(to, this.names.get(from)!);
    this.names.delete(from);
  }

  remove(path: string): void {
    this.step("remove", path);
    this.names.delete(path);
  }

  syncDirectory(directory: string): void {
    this.step("syncDirectory", directory);
    this.durableNames = new Map(this.names);
  }
}
