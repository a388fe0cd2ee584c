/**
 * A history for tests: a small world executes commands, its log is written as the append-only file writes it, and what
 * the state was after each unit is kept to compare with.
 *
 *      command ──► World ──► CommandLog ──► IncrementWriter ──► VirtualDisk
 *                    └─ after each: offset, time, state             rewrite(): base, new increment, history file
 */

import assert from "node:assert/strict";
import type { SeededRandom } from "../../../test/support/seed.ts";
import { VirtualDisk } from "../../../test/support/virtual-disk.ts";
import { dataCommands } from "../../commands/all.ts";
import type { AofFile } from "../../history/formats/aof-manifest.ts";
import { formatFiles, formatManifest } from "../../history/formats/aof-manifest.ts";
import type { LogCursor } from "../../history/log/command-log.ts";
import { Headless } from "../../server/headless.ts";
import type { FakePeer } from "../../session/testing.ts";
import { World } from "../../session/testing.ts";
import { RecordList } from "../../store/encodings/hash-table.ts";
import type { Keyspace } from "../../store/keyspace/keyspace.ts";
import { IncrementWriter } from "../append-only/increment-writer.ts";
import { saveNow } from "../foreground-snapshot.ts";
import { modelOf, valuePayload } from "./value-model.ts";

/** By "database key": everything that there is to know of a value. */
export type State = ReadonlyMap<string, string>;

/** Every key that is there, those whose time is over included. */
export function stateOf(keyspace: Keyspace): State {
  const { tables, records } = keyspace;
  const state = new Map<string, string>();
  const chain = new RecordList();
  for (const database of keyspace.databases) {
    for (let bucket = 0; bucket < tables.bucketCount(database.table); bucket++) {
      const count = tables.readChain(tables.bucketAt(database.table, bucket), chain);
      for (let index = 0; index < count; index++) {
        const record = chain.records[index]!;
        const name = `${database.index} ${Buffer.from(records.key(record)).toString("latin1")}`;
        const model = modelOf(valuePayload(keyspace, record));
        state.set(name, JSON.stringify([model, records.expireAtMs(record)]));
      }
    }
  }
  return new Map([...state].sort(([left], [right]) => (left < right ? -1 : 1)));
}

/** What was there after a unit. */
export interface Checkpoint {
  readonly offset: number;
  readonly timeMs: number;
  readonly state: State;
  /** What was sent. */
  readonly command: string;
}

export const FOLDER = "/data/appendonlydir";
const NAME = "appendonly.aof";

/** Answers the questions of Headless about the world. */
export function headless(): Headless {
  let value = 7;
  return new Headless({
    random: { uint32: () => value++, fill: (target) => target.fill(9) },
    luaModule: () => {
      throw new Error("no script runs in these tests");
    },
  });
}

export class HistoryMaker {
  readonly disk = new VirtualDisk();
  readonly world = new World(dataCommands());
  readonly checkpoints: Checkpoint[] = [];
  private readonly peer: FakePeer;
  private cursor: LogCursor;
  private readonly history: AofFile[] = [];
  private base: AofFile | undefined;
  private increments: AofFile[] = [];
  private writer: IncrementWriter | undefined;
  private seq = 0;

  constructor() {
    this.disk.makeDirectory("/data");
    this.disk.makeDirectory(FOLDER);
    const { context, recorder } = this.world.dispatcher;
    recorder.recordedClients = "all";
    context.log.replicationId = "ab".repeat(20);
    this.cursor = context.log.openCursor();
    this.peer = this.world.connect({ remoteAddress: "127.0.0.1:5000" });
    this.rewrite();
  }

  get keyspace(): Keyspace {
    return this.world.dispatcher.context.keyspace;
  }

  get log() {
    return this.world.dispatcher.context.log;
  }

  /** Time passes, and one command is executed; what follows MULTI is one unit. Returns the reply. */
  send(...words: (string | number)[]): string {
    const reply = this.peer.ask(...words);
    this.flush();
    this.note(words.join(" "));
    return reply;
  }

  advance(byMs: number): void {
    this.world.clock.advance(byMs);
  }

  private note(command: string): void {
    const { keyspace, log } = this;
    this.checkpoints.push({ offset: log.tailOffset, timeMs: keyspace.nowMs, state: stateOf(keyspace), command });
  }

  private flush(): void {
    this.writer!.write(this.log, this.cursor);
  }

  private pathOf(file: AofFile): string {
    return `${FOLDER}/${file.name}`;
  }

  /** A new increment without a base, as when a rewrite failed. */
  rotate(): void {
    this.seq++;
    this.log.cut();
    const increment: AofFile = { name: `${NAME}.${this.seq}.incr.aof`, seq: this.seq, type: "i" };
    const file = this.disk.open(this.pathOf(increment), "append");
    this.writer = new IncrementWriter(file, 0, { marksTimes: true, timestamps: false }, false);
    this.increments.push(increment);
    this.writeLists();
  }

  /** A rewrite: base and new increment, the old files go to the history. */
  rewrite(): void {
    const old = this.base === undefined ? [...this.increments] : [this.base, ...this.increments];
    this.increments = [];
    for (const file of old) this.history.push({ ...file, type: "h" });
    this.base = { name: `${NAME}.${this.seq + 1}.base.rdb`, seq: this.seq + 1, type: "b" };
    this.saveBase(this.base);
    this.rotate();
  }

  private saveBase(base: AofFile): void {
    const { keyspace, log } = this;
    keyspace.nowMs = this.world.clock.nowMs();
    saveNow(
      keyspace,
      this.disk,
      {
        auxiliary: [
          ["repl-id", log.replicationId],
          ["repl-offset", String(log.tailOffset)],
          ["everkey-ms", String(keyspace.nowMs)],
        ],
        access: "none",
      },
      {
        directory: FOLDER,
        temporaryPath: `${FOLDER}/temp.rdb`,
        finalPath: this.pathOf(base),
        compression: true,
        checksum: true,
        syncsOften: false,
      },
    );
  }

  /** The log goes on elsewhere: what happens meanwhile is written nowhere. */
  gap(...commands: (readonly (string | number)[])[]): void {
    for (const words of commands) this.peer.ask(...words);
    this.log.advance(this.cursor, this.log.tailOffset);
  }

  /** Another history begins, at an offset of its own. */
  branch(replicationId: string, offset: number): void {
    this.log.closeCursor(this.cursor);
    this.log.continueAt(replicationId, offset);
    this.cursor = this.log.openCursor();
    this.rewrite();
  }

  private writeLists(): void {
    const manifest = { base: this.base, increments: this.increments, history: [] };
    this.disk.put(`${FOLDER}/${NAME}.manifest`, formatManifest(manifest));
    if (this.history.length > 0) this.disk.put(`${FOLDER}/${NAME}.history`, formatFiles(this.history));
  }

  /** Bytes of an increment, to be damaged. */
  bytes(name: string): Buffer {
    return this.disk.bytes(`${FOLDER}/${name}`)!;
  }
}

const KEYS = ["a", "b", "c", "user:1", "user:2", "user:3"];

/** A history of `count` commands by chance: transactions, several databases, expiry, rewrites. */
export function randomHistory(random: SeededRandom, count: number): HistoryMaker {
  const maker = new HistoryMaker();
  for (let index = 0; index < count; index++) {
    if (random.chance(0.4)) maker.advance(random.between(1, 60));
    const chance = random.below(100);
    if (chance < 2) maker.rewrite();
    else if (chance < 4) maker.rotate();
    if (random.chance(0.06)) {
      maker.send("MULTI");
      for (let left = random.between(1, 4); left > 0; left--) maker.send(...randomCommand(random, maker));
      maker.send("EXEC");
    } else {
      maker.send(...randomCommand(random, maker));
    }
  }
  assert.ok(maker.log.tailOffset > count * 10, "the history holds something");
  return maker;
}

function randomCommand(random: SeededRandom, maker: HistoryMaker): (string | number)[] {
  const key = random.pick(KEYS);
  const other = random.pick(KEYS);
  const value = `v${random.below(1000)}`;
  const soonMs = random.between(1, 300);
  const commands: (string | number)[][] = [
    ["SET", key, value],
    ["SET", key, value, "PX", soonMs],
    ["SET", key, random.below(100)],
    ["APPEND", key, value],
    ["INCRBY", key, random.below(10)],
    ["GETEX", key, "PX", soonMs],
    ["GETDEL", key],
    ["GET", key],
    ["PEXPIRE", key, soonMs],
    ["EXPIREAT", key, Math.floor(maker.world.clock.nowMs() / 1000) + random.between(-1, 2)],
    ["PERSIST", key],
    ["DEL", key],
    ["DEL", key, other],
    ["UNLINK", key],
    ["RENAME", key, other],
    ["COPY", key, other, "DB", random.below(3), "REPLACE"],
    ["MOVE", key, random.below(3)],
    ["LPUSH", key, value, value],
    ["RPUSH", key, `${value}\r\n*1\r\n`],
    ["LPOP", key, 2],
    ["LMOVE", key, other, "LEFT", "RIGHT"],
    ["LTRIM", key, 0, 2],
    ["HSET", key, `f${random.below(5)}`, value],
    ["HINCRBY", key, "n", 3],
    ["HDEL", key, `f${random.below(5)}`],
    ["SADD", key, random.below(9), random.below(9)],
    ["SPOP", key],
    ["SUNIONSTORE", key, other, random.pick(KEYS)],
    ["ZADD", key, random.below(50), `m${random.below(5)}`],
    ["ZINCRBY", key, 1.5, `m${random.below(5)}`],
    ["ZPOPMIN", key],
    ["XADD", key, "*", "f", value],
    ["XADD", key, "MAXLEN", 3, "*", "f", value],
    ["XGROUP", "CREATE", key, "g", "$", "MKSTREAM"],
    ["XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", key, ">"],
    ["SETBIT", key, random.below(64), 1],
    ["PFADD", key, value],
    ["SORT", key, "ALPHA", "STORE", other],
    ["SELECT", random.below(3)],
  ];
  if (random.chance(0.01)) return ["FLUSHALL"];
  if (random.chance(0.01)) return ["FLUSHDB"];
  if (random.chance(0.01)) return ["SWAPDB", random.below(3), random.below(3)];
  return random.pick(commands);
}
