/**
 * What each command leaves in the log, beside what it leaves in the real server's append-only file.
 *
 *      command ──► redis-server, appendonly yes ──► bytes appended ──┐
 *              └─► a server whose log is read ────► bytes recorded ──┴─► the same units, databases, words
 *
 *  I1  Moments that a server takes from its clock may differ by CLOCKS_APART_MS; everything else is compared as it stands.
 *  I2  Keys expire when a command meets them alone: active expiry is off on both sides.
 *
 *  To repeat a report: npm test -- --only effects --seed SEED
 */
import assert from "node:assert/strict";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { ChildServer } from "../support/child-server.ts";
import { RawClient } from "../support/raw-client.ts";
import { startRedis } from "../support/redis.ts";
import { printable } from "../support/reply.ts";
import { freshSeed } from "../support/seed.ts";
import { EFFECT_CASES } from "./effects-cases.ts";
import { type LoggedCommand, type LoggedUnit, LogReader, RecordedServer } from "./effects-world.ts";
import { families } from "./families.ts";
import type { Setting } from "./grammar.ts";
import { drawSequence, type Sequence } from "./runner.ts";

const FIXED_SEED = 20_261_121;
const SEQUENCES = 60;
const CLOCKS_APART_MS = 5000;
const FAMILIES = families.filter(({ name }) => name !== "connection" && name !== "server");

/** Directives that the sequences of a family set, as both sides start with them. */
const DEFAULTS: Readonly<Record<string, string>> = {
  "stream-node-max-entries": "100",
  "stream-node-max-bytes": "4096",
  "zset-max-listpack-entries": "128",
};

/** The real server, and the file that it appends to. */
class RealLog {
  readonly redis: ChildServer;
  readonly client: RawClient;
  readonly other: RawClient;
  private readonly file: number;
  private position = 0;
  private readonly reader = new LogReader();

  private constructor(redis: ChildServer, client: RawClient, other: RawClient) {
    this.redis = redis;
    this.client = client;
    this.other = other;
    this.file = openSync(join(redis.dir, "appendonlydir", "appendonly.aof.1.incr.aof"), "r");
  }

  static async start(): Promise<RealLog> {
    const redis = await startRedis({
      directives: { appendonly: "yes", appendfsync: "no", "auto-aof-rewrite-percentage": "0" },
    });
    return new RealLog(redis, await RawClient.connect(redis.port), await RawClient.connect(redis.port));
  }

  /** What was appended since the last call: a reply is sent when the command is in the file. */
  units(): LoggedUnit[] {
    const bytes = Buffer.alloc(fstatSync(this.file).size - this.position);
    readSync(this.file, bytes, 0, bytes.length, this.position);
    this.position += bytes.length;
    return this.reader.read(bytes);
  }

  async stop(): Promise<void> {
    this.client.close();
    this.other.close();
    closeSync(this.file);
    await this.redis.stop();
  }
}

const upper = (text: string | undefined): string => text?.toUpperCase() ?? "";

/** Words that mean the same, though they may be spelled otherwise or come from another clock. */
function isSameWord(left: string, right: string): boolean {
  if (left === right) return true;
  if (/^\d{12,19}$/.test(left) && /^\d{12,19}$/.test(right)) return areNear(left, right);
  const leftId = /^(\d{12,})-\d+$/.exec(left);
  const rightId = /^(\d{12,})-\d+$/.exec(right);
  return leftId !== null && rightId !== null && areNear(leftId[1]!, rightId[1]!);
}

function areNear(left: string, right: string): boolean {
  const difference = BigInt(left) - BigInt(right);
  return difference < BigInt(CLOCKS_APART_MS) && -difference < BigInt(CLOCKS_APART_MS);
}

function isSameCommand(left: LoggedCommand, right: LoggedCommand): boolean {
  if (left.database !== right.database || left.words.length !== right.words.length) return false;
  if (upper(left.words[0]) !== upper(right.words[0])) return false;
  return left.words.every((word, index) => index === 0 || isSameWord(word, right.words[index]!));
}

/** Whether `request` may leave it on one side alone, and why that is right. */
function mayDiffer({ words }: LoggedCommand, request: string): boolean {
  const what = upper(words[0]) === "XGROUP" ? upper(words[1]) : upper(words[0]);
  // EXEC hides which of its commands left what.
  if (/^EXEC\b/i.test(request)) return ["BITFIELD", "XCLAIM", "SETID", "CREATECONSUMER", "DELCONSUMER"].includes(what);
  // Consumers that were given nothing are forgotten by Redis 7.0, which makes them with what they are given.
  if (/^(?:XREADGROUP|XCLAIM|XAUTOCLAIM)\b/i.test(request) && what === "CREATECONSUMER") return true;
  if (!/^XREADGROUP\b/i.test(request)) return false;
  // How many entries a group has read is recorded since later versions; what reading a history counts is not, there.
  return what === "SETID" ? !/ NOACK /i.test(request) : !/ >$/.test(request);
}

function show(units: readonly LoggedUnit[]): string {
  return units
    .map((unit) => {
      const texts = unit.map(
        ({ database, words }) =>
          `${database}: ${words.map((word) => printable(Buffer.from(word, "latin1"), 80)).join(" ")}`,
      );
      return `      ${texts.length === 1 ? texts[0] : `MULTI ${texts.join(" | ")} EXEC`}`;
    })
    .join("\n");
}

/** What differs between what `request` left on both sides; undefined when nothing does. */
function difference(
  request: string,
  expected: readonly LoggedUnit[],
  actual: readonly LoggedUnit[],
  isShape = false,
): string | undefined {
  const report = `\n    real:\n${show(expected)}\n    ours:\n${show(actual)}`;
  // A string that grew for a field which OVERFLOW FAIL then left alone: Redis forgets that it grew.
  if (/^BITFIELD\b.* FAIL\b/i.test(request) && expected.length === 0) return undefined;
  // Redis records that a consumer was deleted that was not there.
  if (/^XGROUP DELCONSUMER\b/i.test(request) && actual.length === 0) return undefined;
  const strip = (units: readonly LoggedUnit[]): LoggedUnit[] =>
    units.map((unit) => unit.filter((each) => !mayDiffer(each, request))).filter((unit) => unit.length > 0);
  const wanted = strip(expected);
  const right = strip(actual);
  if (wanted.length !== right.length) return `${wanted.length} units, not ${right.length}${report}`;
  for (const [place, unit] of wanted.entries()) {
    if (unit.length !== right[place]!.length) return `unit ${place} has other commands${report}`;
    for (const [index, each] of unit.entries()) {
      const ours = right[place]![index]!;
      const isSame = isShape
        ? upper(each.words[0]) === upper(ours.words[0]) && each.words.length === ours.words.length
        : isSameCommand(each, ours);
      if (!isSame) return `unit ${place}, command ${index} differs${report}`;
    }
  }
  return undefined;
}

describe("each command leaves in the log what it leaves in the real server's file", () => {
  let real: RealLog;
  let ours: RecordedServer;

  before(async () => {
    real = await RealLog.start();
    ours = await RecordedServer.start(1, () => Date.now());
    await real.client.call("DEBUG", "SET-ACTIVE-EXPIRE", "0");
    ours.ask("DEBUG", "SET-ACTIVE-EXPIRE", "0");
    ours.record();
  });

  after(async () => {
    await real?.stop();
    await ours?.virtual.stop();
  });

  /** Sends one command to both; the difference in what it left. */
  async function compare(args: readonly Buffer[], isShape = false): Promise<string | undefined> {
    const request = args.map((argument) => printable(argument, 60)).join(" ");
    await real.client.call(...args);
    let reply = ours.askBytes(args);
    for (let waited = 0; reply === "" && waited < 20; waited++) {
      ours.virtual.advance(20);
      reply = ours.peer.take();
    }
    const reason = difference(request, real.units(), ours.units(), isShape);
    return reason === undefined ? undefined : `${request}: ${reason}`;
  }

  async function begin(setting: Setting = { both: {} }): Promise<void> {
    for (const words of [
      ["RESET"],
      ["FLUSHALL"],
      ["FUNCTION", "FLUSH"],
      ["CONFIG", "SET", ...Object.entries({ ...DEFAULTS, ...setting.both }).flat()],
    ]) {
      await real.client.call(...words);
      ours.ask(...words);
    }
    ours.ask("CONFIG", "SET", "set-max-listpack-entries", "0");
    real.units();
    ours.units();
  }

  async function run({ setting, commands }: Sequence): Promise<string | undefined> {
    await begin(setting);
    for (const { args } of commands) {
      const reason = await compare(args);
      if (reason !== undefined) return reason;
    }
    return undefined;
  }

  async function shrunk(sequence: Sequence, reason: string): Promise<string> {
    let best = { sequence, reason };
    for (let at = sequence.commands.length - 1; at >= 0; at--) {
      if (at >= best.sequence.commands.length) continue;
      const shorter = { ...sequence, commands: best.sequence.commands.toSpliced(at, 1) };
      const left = await run(shorter);
      if (left !== undefined) best = { sequence: shorter, reason: left };
    }
    const lines = best.sequence.commands.map(
      ({ args }) => `    ${args.map((argument) => printable(argument, 60)).join(" ")}`,
    );
    return `${best.reason}\n  after\n${lines.join("\n")}`;
  }

  for (const [name, lines] of Object.entries(EFFECT_CASES)) {
    test(name, async () => {
      await begin();
      let recorded = 0;
      for (const line of lines) {
        const isShape = line.startsWith("~");
        const words = (line.match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? []).slice(isShape ? 1 : 0);
        const args = words.map((word) => Buffer.from(word.startsWith('"') ? JSON.parse(word) : word, "latin1"));
        const offsetBefore = ours.context.log.tailOffset;
        assert.equal(await compare(args, isShape), undefined);
        if (ours.context.log.tailOffset > offsetBefore) recorded++;
      }
      assert.ok(recorded > 1, "the case records something");
    });
  }

  for (const family of FAMILIES) {
    for (const seed of [FIXED_SEED, freshSeed()]) {
      test(`${family.name}, seed ${seed}`, async () => {
        const sequences = Math.ceil(SEQUENCES * (family.share ?? 1));
        const offsetBefore = ours.context.log.tailOffset;
        for (let index = 0; index < sequences; index++) {
          const sequence = drawSequence(family.forms, seed, index, family.settings);
          const reason = await run(sequence);
          if (reason !== undefined) assert.fail(`sequence ${index} of seed ${seed}: ${await shrunk(sequence, reason)}`);
        }
        assert.ok(ours.context.log.tailOffset - offsetBefore > sequences * 100, "the sequences record something");
      });
    }
  }
});
