/**
 * A disk in memory: what was not synced is lost by a crash, and every step can be made to fail.
 *
 *      write ──► content ──fsync──► durable content      create, rename, remove ──► names ──fsync of the folder──► durable names
 *
 *  I1  Each operation is one step, appended to `steps` before it is tried; `fault` decides from its number and name.
 *  I2  A write that does not fit into `freeBytes` writes what fits and fails with ENOSPC, as a real one does.
 *  I3  A closed file takes no more operations, not even a second close: that is an error of the caller's.
 */

import { DiskFault } from "../../src/core/faults.ts";
import type { Disk, DiskFile, FileStatus, OpenMode } from "../../src/core/host.ts";

interface Content {
  bytes: Buffer;
  durable: Buffer;
}

/** What a crash leaves of what was not synced. */
export interface Survival {
  /** Renames and new names are there all the same. */
  readonly names: boolean;
  /** So much of the bytes that were written since the last fsync, 0 to 1. */
  readonly share: number;
}

/** A power cut at its worst. */
const NOTHING_MORE: Survival = { names: false, share: 0 };

/** The code of the error with which a step fails, undefined when it goes well. `step` counts from 0. */
export type FaultPlan = (step: number, operation: string, path: string) => string | undefined;

export class VirtualDisk implements Disk {
  /** What was tried, in order, as "operation path". */
  readonly steps: string[] = [];
  fault: FaultPlan = () => undefined;
  /** Bytes that still fit. */
  freeBytes = Number.POSITIVE_INFINITY;
  /** A write that `fault` fails has written so much of its bytes before, 0 to 1. */
  tornShare = 0;
  /** Files that are open. */
  openFiles = 0;
  /** The time that all files say they were written at, ms since 1970. */
  modifiedMs = 0;
  /** Runs what goes on beside the caller; the world's clock decides when. */
  later: (task: () => void) => void = (task) => setImmediate(task);
  private names = new Map<string, Content>();
  private durableNames = new Map<string, Content>();
  private readonly folders = new Set<string>(["/"]);

  /** Puts a file there as if it had been there for ever. */
  put(path: string, bytes: Uint8Array): void {
    const content = { bytes: Buffer.from(bytes), durable: Buffer.from(bytes) };
    this.names.set(path, content);
    this.durableNames.set(path, content);
    this.folders.add(path.slice(0, path.lastIndexOf("/")) || "/");
  }

  /** A file's bytes, undefined when there is none. */
  bytes(path: string): Buffer | undefined {
    return this.names.get(path)?.bytes;
  }

  paths(): string[] {
    return [...this.names.keys()].sort();
  }

  /** What another start would find after a power cut now. */
  afterCrash({ names, share }: Survival = NOTHING_MORE): VirtualDisk {
    const disk = new VirtualDisk();
    for (const folder of this.folders) disk.folders.add(folder);
    for (const [path, { bytes, durable }] of names ? this.names : this.durableNames) {
      const kept = durable.length + Math.floor(Math.max(0, bytes.length - durable.length) * share);
      disk.put(path, share === 0 ? durable : bytes.subarray(0, kept));
    }
    return disk;
  }

  open(path: string, mode: OpenMode): DiskFile {
    this.step("open", path);
    let content = this.names.get(path);
    if (this.folders.has(path)) throw this.failure("open", path, "EISDIR");
    if (mode === "create" || (mode === "append" && content === undefined)) {
      if (!this.folders.has(path.slice(0, path.lastIndexOf("/")) || "/")) throw this.failure("open", path, "ENOENT");
      content = { bytes: Buffer.alloc(0), durable: Buffer.alloc(0) };
      this.names.set(path, content);
    }
    if (content === undefined) throw this.failure("open", path, "ENOENT");
    this.openFiles++;
    return new VirtualFile(this, path, content);
  }

  status(path: string): FileStatus | undefined {
    this.step("stat", path);
    const content = this.names.get(path);
    if (content !== undefined) return { bytes: content.bytes.length, modifiedMs: this.modifiedMs, isDirectory: false };
    return this.folders.has(path) ? { bytes: 0, modifiedMs: this.modifiedMs, isDirectory: true } : undefined;
  }

  list(directory: string): string[] {
    this.step("list", directory);
    const prefix = directory === "/" ? "/" : `${directory}/`;
    const inside = this.paths().filter((path) => path.startsWith(prefix));
    return [...new Set(inside.map((path) => path.slice(prefix.length).split("/")[0]!))];
  }

  makeDirectory(path: string): void {
    this.step("mkdir", path);
    this.folders.add(path);
  }

  rename(from: string, to: string): void {
    this.step("rename", from);
    const content = this.names.get(from);
    if (content === undefined) throw this.failure("rename", from, "ENOENT");
    this.names.set(to, content);
    this.names.delete(from);
  }

  remove(path: string): void {
    this.step("remove", path);
    if (!this.names.delete(path)) throw this.failure("remove", path, "ENOENT");
  }

  syncDirectory(directory: string): void {
    this.step("fsync", directory);
    this.durableNames = new Map(this.names);
  }

  /** Notes a step, and fails it when the plan says so. */
  step(operation: string, path: string): void {
    const step = this.steps.push(`${operation} ${path}`) - 1;
    const code = this.fault(step, operation, path);
    if (code !== undefined) throw this.failure(operation, path, code);
  }

  failure(operation: string, path: string, code: string): DiskFault {
    return new DiskFault(operation, path, Object.assign(new Error(code), { code }));
  }
}

class VirtualFile implements DiskFile {
  readonly path: string;
  private readonly disk: VirtualDisk;
  private readonly content: Content;
  private position = 0;
  private isClosed = false;

  constructor(disk: VirtualDisk, path: string, content: Content) {
    this.disk = disk;
    this.path = path;
    this.content = content;
  }

  private step(operation: string): void {
    if (this.isClosed) throw new Error(`${operation} of ${this.path}, which is closed`); // I3
    this.disk.step(operation, this.path);
  }

  read(target: Uint8Array, offset: number, length: number): number {
    const count = this.readAt(target, offset, length, this.position);
    this.position += count;
    return count;
  }

  readAt(target: Uint8Array, offset: number, length: number, position: number): number {
    this.step("read");
    const part = this.content.bytes.subarray(position, position + length);
    target.set(part, offset);
    return part.length;
  }

  write(source: Uint8Array, offset: number, length: number): void {
    try {
      this.step("write");
    } catch (error) {
      const torn = Math.floor(length * this.disk.tornShare);
      this.content.bytes = Buffer.concat([this.content.bytes, source.subarray(offset, offset + torn)]);
      throw error;
    }
    const fits = Math.min(length, this.disk.freeBytes);
    this.content.bytes = Buffer.concat([this.content.bytes, source.subarray(offset, offset + fits)]);
    this.disk.freeBytes -= fits;
    if (fits < length) throw this.disk.failure("write", this.path, "ENOSPC"); // I2
  }

  sync(): void {
    this.step("fsync");
    this.content.durable = this.content.bytes;
  }

  syncLater(done: (fault: Error | undefined) => void): void {
    // What is written from here on is not part of it.
    const synced = this.content.bytes;
    this.disk.later(() => {
      try {
        this.step("fsync");
        this.content.durable = synced;
        done(undefined);
      } catch (error) {
        done(error as Error);
      }
    });
  }

  truncate(bytes: number): void {
    this.step("truncate");
    this.content.bytes = this.content.bytes.subarray(0, bytes);
  }

  size(): number {
    return this.content.bytes.length;
  }

  close(): void {
    if (this.isClosed) throw new Error(`${this.path} was closed twice`); // I3
    this.isClosed = true;
    this.disk.openFiles--;
    this.disk.step("close", this.path); // the system gives the descriptor back even when it reports a failure
  }
}
