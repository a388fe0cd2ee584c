/** What the tests of append-only files share: files in memory, commands as bytes, and a plain parser to compare with. */

import type { DiskFile } from "../../core/host.ts";

/** A file in memory that can only be read. `readBytes` counts what was read of it. */
export class MemoryFile implements DiskFile {
  readonly path = "memory";
  readBytes = 0;
  private readonly bytes: Uint8Array;
  private position = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  read(target: Uint8Array, offset: number, length: number): number {
    const count = this.readAt(target, offset, length, this.position);
    this.position += count;
    return count;
  }

  readAt(target: Uint8Array, offset: number, length: number, position: number): number {
    const part = this.bytes.subarray(position, position + length);
    target.set(part, offset);
    this.readBytes += part.length;
    return part.length;
  }

  write(): void {
    throw new Error("this file is only read");
  }

  sync(): void {}

  syncLater(): void {
    throw new Error("this file is only read");
  }

  truncate(): void {
    throw new Error("this file is only read");
  }

  size(): number {
    return this.bytes.length;
  }

  close(): void {}
}

/** A command as RESP; text is latin1. */
export function commandBytes(...words: readonly (string | Uint8Array)[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = Buffer.from(word as string, "latin1");
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n"));
  }
  return Buffer.concat(parts);
}

/** Commands of a file that is whole, as latin1 texts; `#` lines are left out. As simple as it can be. */
export function plainCommands(bytes: Buffer): string[][] {
  const commands: string[][] = [];
  let at = 0;
  const line = (): string => {
    const end = bytes.indexOf("\n", at);
    const text = bytes.toString("latin1", at, end);
    at = end + 1;
    return text.replace(/\r$/, "");
  };
  while (at < bytes.length) {
    const header = line();
    if (header.startsWith("#")) continue;
    const words: string[] = [];
    for (let count = Number(header.slice(1)); count > 0; count--) {
      const length = Number(line().slice(1));
      words.push(bytes.toString("latin1", at, at + length));
      at += length + 2;
    }
    commands.push(words);
  }
  return commands;
}
