/**
 * A server with an append-only file in a virtual world, a client that writes numbered values, and what a crash may leave
 * of them.
 *
 *      write()   MULTI, RPUSH list i, INCR count, EXEC      applied: [1, 2, 4, ...]      promised: how many of them at least
 *      crash     a disk ──► another server ──► list ──► a beginning of `applied`, `promised` long or longer
 *
 *  I1  `applied` is what memory holds: values that were refused are not in it.
 *  I2  `promised` counts what `always` has acknowledged while the file was on.
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { encode, type FakePeer } from "../../src/session/testing.ts";
import type { Survival, VirtualDisk } from "../support/virtual-disk.ts";
import { VirtualServer } from "../support/virtual-host.ts";

export const FOLDER = "/data/appendonlydir";

/** The ways in which a crash treats what was not synced. */
export const SURVIVALS: readonly Survival[] = [
  { names: false, share: 0 },
  { names: true, share: 0 },
  { names: true, share: 0.5 },
  { names: true, share: 1 },
];

/** What was found after a crash must be one of these. */
export interface Moment {
  readonly disk: VirtualDisk;
  readonly applied: readonly number[];
  /** Being executed: it may be there or not. */
  readonly next: number;
  readonly promised: number;
  readonly where: string;
}

export class Story {
  readonly disk: VirtualDisk;
  readonly world: VirtualServer;
  readonly directives: readonly string[];
  applied: number[] = [];
  promised = 0;
  /** Acknowledged writes are promised: `always`, and the file is on. */
  promises = true;
  attempts = 0;
  private peer: FakePeer | undefined;

  private constructor(disk: VirtualDisk, directives: readonly string[]) {
    this.disk = disk;
    this.directives = directives;
    this.world = new VirtualServer({
      disk,
      directives: ["--save", "", "--appendonly", "yes", "--appendfsync", "always", ...directives],
    });
  }

  static async start(disk: VirtualDisk, ...directives: string[]): Promise<Story> {
    const story = Story.make(disk, ...directives);
    await story.world.start();
    return story;
  }

  static make(disk: VirtualDisk, ...directives: string[]): Story {
    return new Story(disk, directives);
  }

  /** A client; a new one when the last was closed. */
  client(): FakePeer {
    if (this.peer === undefined || this.peer.connection.isClosed) this.peer = this.world.connect();
    return this.peer;
  }

  ask(...words: string[]): string {
    return this.client().ask(...words);
  }

  /** One numbered write. Returns what the client heard of it: "" when it was closed. */
  write(): string {
    const value = ++this.attempts;
    const peer = this.client();
    peer.take();
    const words = [["MULTI"], ["RPUSH", "list", String(value)], ["INCR", "count"], ["EXEC"]];
    const reply = peer.send(words.map((each) => encode(...each)).join("")).take();
    const count = Number(this.ask("GET", "count").split("\r\n")[1] ?? 0);
    if (count === this.applied.length + 1) this.applied.push(value);
    assert.equal(this.applied.length, count);
    const isAcknowledged = reply.endsWith(`*2\r\n:${count}\r\n:${count}\r\n`) && this.applied.at(-1) === value;
    assert.ok(isAcknowledged || reply === "" || /-MISCONF|-EXECABORT/.test(reply), reply);
    if (isAcknowledged && this.promises) this.promised = this.applied.length;
    return reply;
  }

  writes(count: number): void {
    for (; count > 0; count--) this.write();
  }

  /** Lets background work come to its end. */
  rest(byMs = 300): void {
    this.world.advance(byMs);
  }

  rewrite(): void {
    this.ask("BGREWRITEAOF");
    this.rest();
  }

  /** What was promised so far, on a disk as a crash would leave it now. */
  moment(survival: Survival, where: string): Moment {
    const { applied, attempts, promised } = this;
    return { disk: this.disk.afterCrash(survival), applied: [...applied], next: attempts, promised, where };
  }
}

/** Starts a server on what a crash left and looks at the list. `directives` as the story had them. */
export async function check(moment: Moment, ...directives: string[]): Promise<Story> {
  const { disk, applied, next, promised, where } = moment;
  const story = Story.make(disk, ...directives);
  try {
    await story.world.start();
  } catch (error) {
    assert.fail(`${where}: ${(error as Error).message}\n${listing(disk)}`);
  }
  const found = [...story.ask("LRANGE", "list", "0", "-1").matchAll(/\r\n(\d+)(?=\r\n\$|\r\n$)/g)].map((match) =>
    Number(match[1]),
  );
  const count = story.ask("GET", "count");
  assert.equal(count, found.length === 0 ? "$-1\r\n" : `$${String(found.length).length}\r\n${found.length}\r\n`, where);
  const expected = [...applied, ...(applied.includes(next) ? [] : [next])].slice(0, found.length);
  assert.deepEqual(found, expected, where);
  assert.ok(found.length >= promised, `${where}: ${found.length} of ${promised}\n${listing(disk)}`);
  story.applied = found;
  story.promised = found.length;
  story.attempts = next;
  return story;
}

/** The folder's files with their sizes, and the manifest. */
export function listing(disk: VirtualDisk): string {
  const files = disk.paths().map((path) => `${path} ${disk.bytes(path)!.length}`);
  return [...files, disk.bytes(`${FOLDER}/appendonly.aof.manifest`)?.toString() ?? "no manifest"].join("\n");
}

/** Tells whether the same files, promise and contents were seen before. */
export class Seen {
  private readonly hashes = new Set<string>();

  isNew({ disk, promised, applied }: Moment): boolean {
    const hash = createHash("sha1").update(`${promised} ${applied.length}`);
    for (const path of disk.paths()) hash.update(path).update(disk.bytes(path)!);
    const text = hash.digest("hex");
    if (this.hashes.has(text)) return false;
    this.hashes.add(text);
    return true;
  }
}
