/** Round trips: a moment of a random history, brought back, is what was there. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { printedSeed, SeededRandom } from "../../../test/support/seed.ts";
import { plainCommands } from "../../history/formats/aof-file.test.support.ts";
import { matchCommand, matchDeletion } from "./command-match.ts";
import { findChanges } from "./diff.ts";
import { makePlan, makePlanFrom, type Target } from "./plan.ts";
import { carryOut } from "./replay.ts";
import {
  type Checkpoint,
  FOLDER,
  HistoryMaker,
  headless,
  randomHistory,
  type State,
  stateOf,
} from "./timeline.test.support.ts";
import { Timeline } from "./timeline.ts";

const HISTORIES = 6;
const COMMANDS = 250;

const open = (maker: HistoryMaker): Timeline => Timeline.open(maker.disk, "/data");

function goTo(maker: HistoryMaker, target: Target, exceptions: readonly number[] = []) {
  const timeline = open(maker);
  const plan = makePlan(timeline, target, exceptions);
  const engine = headless();
  const result = carryOut(timeline, plan, engine);
  return { plan, result, state: stateOf(engine.keyspace) };
}

function assertState(found: State, expected: State, what: string): void {
  assert.deepEqual([...found], [...expected], what);
}

/** Calls `check` with histories and what is drawn for them. */
function eachHistory(name: string, check: (maker: HistoryMaker, random: SeededRandom, what: string) => void): void {
  const seed = printedSeed(name);
  for (let index = 0; index < HISTORIES; index++) {
    const random = new SeededRandom(seed + index);
    check(randomHistory(random, COMMANDS), random, `seed ${seed}, history ${index}`);
  }
}

/** The last of the checkpoints for which `isBefore` holds. */
function lastOf(maker: HistoryMaker, isBefore: (checkpoint: Checkpoint) => boolean): Checkpoint | undefined {
  return maker.checkpoints.findLast(isBefore);
}

describe("a random history", () => {
  test("is brought back as it was at any offset", () => {
    eachHistory("going back to offsets", (maker, random, what) => {
      const { tailOffset } = maker.log;
      for (let count = 0; count < 12; count++) {
        const offset = count === 0 ? tailOffset : random.below(tailOffset + 1);
        const expected = lastOf(maker, (checkpoint) => checkpoint.offset <= offset);
        const { plan, result, state } = goTo(maker, { kind: "offset", offset });
        assertState(state, expected?.state ?? new Map(), `${what}, offset ${offset}`);
        assert.equal(result.failureCount, 0);
        assert.ok(plan.reached.offset <= offset);
        assert.equal(plan.isNewest, offset === tailOffset, `${what}, offset ${offset}`);
      }
      assert.equal(maker.disk.openFiles, maker.disk.paths().filter((path) => path.includes(".incr.")).length);
    });
  });

  test("is brought back as it was at any time", () => {
    eachHistory("going back to times", (maker, random, what) => {
      const first = maker.checkpoints[0]!.timeMs;
      const last = maker.checkpoints.at(-1)!.timeMs;
      for (let count = 0; count < 12; count++) {
        const timeMs = random.between(first, last + 5);
        // What changed nothing is in no file: the state counts, not the moment of the command.
        const expected = lastOf(maker, (checkpoint) => checkpoint.timeMs <= timeMs);
        const { state } = goTo(maker, { kind: "time", timeMs });
        assertState(state, expected!.state, `${what}, time ${timeMs}`);
      }
      assertState(goTo(maker, { kind: "newest" }).state, maker.checkpoints.at(-1)!.state, what);
    });
  });

  test("is brought back as it was before a command, and before a deletion", () => {
    eachHistory("going back before commands", (maker, _random, what) => {
      const commands = unitsOf(maker);
      for (const [name, nth] of [
        ["HSET", 1],
        ["hset", 3],
        ["SADD user:*", 1],
        ["SELECT 1", 1],
      ] as const) {
        const words = name.split(" ");
        const found = commands.filter(({ command }) => matchesPlainly(command, words));
        if (found.length < nth) continue;
        const before = found[found.length - nth]!.unitOffset;
        const { plan, state } = goTo(maker, { kind: "before", match: matchCommand(name)!, nth });
        const expected = lastOf(maker, (checkpoint) => checkpoint.offset <= before);
        assertState(state, expected?.state ?? new Map(), `${what}, before ${name}`);
        assert.equal(plan.before?.offset, found[found.length - nth]!.offset);
      }
      const deleted = commands.filter(
        ({ command, source }) =>
          /^(?:DEL|UNLINK|GETDEL)$/i.test(command[0]!) &&
          source !== "expired" &&
          command.slice(1).some((key) => key.startsWith("user:")),
      );
      const before = deleted.at(-1)!.unitOffset;
      const { state } = goTo(maker, { kind: "before", match: matchDeletion("user:*"), nth: 1 });
      const expected = lastOf(maker, (checkpoint) => checkpoint.offset <= before);
      assertState(state, expected?.state ?? new Map(), `${what}, before deletion`);
    });
  });

  test("without some of its commands is what the others do", () => {
    eachHistory("going back except", (maker, random, what) => {
      const commands = unitsOf(maker);
      const possible = commands.filter(({ command }) => command[0]!.toUpperCase() !== "SELECT");
      for (let count = 0; count < 6; count++) {
        const chosen = Array.from({ length: random.between(1, 3) }, () => random.pick(possible));
        const exceptions = chosen.map(({ offset }) => offset);
        const { plan, state } = goTo(maker, { kind: "newest" }, exceptions);
        assertState(state, stateWithout(commands, new Set(exceptions)), `${what}, without ${exceptions}`);
        assert.equal(plan.leftOut.length, new Set(exceptions).size);
      }
    });
  });

  test("differs between two moments in what differs between its states", () => {
    eachHistory("differences", (maker, random, what) => {
      for (let count = 0; count < 6; count++) {
        const [from, to] = [random.below(COMMANDS), random.below(COMMANDS)]
          .sort((left, right) => left - right)
          .map((index) => maker.checkpoints[index]!) as [Checkpoint, Checkpoint];
        const timeline = open(maker);
        const first = makePlan(timeline, { kind: "offset", offset: from.offset });
        const target: Target = { kind: "offset", offset: to.offset };
        const second = makePlanFrom(timeline, first.base, target, () => undefined);
        const engine = headless();
        const changes = findChanges(timeline, first, second, engine, {});
        assertState(stateOf(engine.keyspace), to.state, `${what}, ${from.offset} to ${to.offset}`);
        const found = changes.map(
          ({ database, key, kind }) => `${kind} ${database} ${Buffer.from(key).toString("latin1")}`,
        );
        assert.deepEqual(
          found.sort(),
          expectedChanges(from.state, to.state).sort(),
          `${what}, ${from.offset} to ${to.offset}`,
        );
      }
    });
  });

  test("is not changed by anybody who goes back in it", () => {
    const maker = randomHistory(new SeededRandom(5), 100);
    const before = maker.disk.paths().map((path) => [path, maker.disk.bytes(path)!.toString("latin1")]);
    maker.disk.steps.length = 0;
    goTo(maker, { kind: "newest" });
    goTo(maker, { kind: "before", match: matchDeletion("*"), nth: 1 });
    assert.deepEqual(
      maker.disk.paths().map((path) => [path, maker.disk.bytes(path)!.toString("latin1")]),
      before,
    );
    assert.deepEqual(
      maker.disk.steps.filter((step) => !/^(?:open|read|stat|list|close) /.test(step)),
      [],
    );
  });
});

function expectedChanges(from: State, to: State): string[] {
  const changes: string[] = [];
  for (const name of new Set([...from.keys(), ...to.keys()])) {
    if (from.get(name) === to.get(name)) continue;
    changes.push(`${from.has(name) ? (to.has(name) ? "changed" : "deleted") : "created"} ${name}`);
  }
  return changes;
}

interface PlainCommand {
  readonly command: string[];
  readonly offset: number;
  readonly unitOffset: number;
  readonly source: string | undefined;
}

/** All commands of all increments, read as simply as it can be done. */
function unitsOf(maker: HistoryMaker): PlainCommand[] {
  const commands: PlainCommand[] = [];
  const names = maker.disk.paths().filter((path) => path.includes(".incr."));
  names.sort((left, right) => Number(/aof\.(\d+)/.exec(left)![1]) - Number(/aof\.(\d+)/.exec(right)![1]));
  let offset = 0;
  let unitOffset = -1;
  for (const path of names) {
    let source: string | undefined;
    for (const part of maker.disk
      .bytes(path)!
      .toString("latin1")
      .split(/(?<=\r\n)(?=#EK:)/)) {
      const line = /^#EK:.*\r\n/.exec(part)?.[0] ?? "";
      source = / by (.*)\r/.exec(line)?.[1];
      for (const command of plainCommands(Buffer.from(part.slice(line.length), "latin1"))) {
        if (unitOffset === -1) unitOffset = offset;
        commands.push({ command, offset, unitOffset: command[0] === "MULTI" ? offset : unitOffset, source });
        if (command[0] === "MULTI") unitOffset = offset;
        offset += command.reduce(
          (sum, word) => sum + `$${word.length}\r\n${word}\r\n`.length,
          `*${command.length}\r\n`.length,
        );
        const isInside = commands.some((each) => each.command[0] === "MULTI") && isOpen(commands);
        if (!isInside) unitOffset = -1;
      }
    }
  }
  return commands;
}

/** Whether the last MULTI has no EXEC behind it. */
function isOpen(commands: readonly PlainCommand[]): boolean {
  const multi = commands.findLastIndex(({ command }) => command[0] === "MULTI");
  return commands.findLastIndex(({ command }) => command[0] === "EXEC") < multi;
}

function matchesPlainly(command: readonly string[], words: readonly string[]): boolean {
  if (command[0]!.toUpperCase() !== words[0]!.toUpperCase() || command.length < words.length) return false;
  return words.slice(1).every((word, index) => {
    const pattern = new RegExp(`^${word.replace("*", ".*")}$`, "s");
    return pattern.test(command[index + 1]!);
  });
}

/** What the commands do but those at `exceptions`, sent by a client to a second keyspace. */
function stateWithout(commands: readonly PlainCommand[], exceptions: ReadonlySet<number>): State {
  const { world } = new HistoryMaker();
  const { keyspace } = world.dispatcher.context;
  keyspace.isReplaying = true;
  const peer = world.connect();
  let isLeavingOut = false;
  for (const [index, { command, offset }] of commands.entries()) {
    const [name] = command;
    if (name === "MULTI") {
      const end = commands.slice(index).find((each) => each.command[0] === "EXEC")!;
      isLeavingOut = exceptions.has(offset) || exceptions.has(end.offset);
    }
    if (name !== "SELECT" && (isLeavingOut || exceptions.has(offset))) {
      if (name === "EXEC") isLeavingOut = false;
      continue;
    }
    peer.ask(...command);
  }
  return stateOf(keyspace);
}

test("the folder of the files may be named itself", () => {
  const maker = new HistoryMaker();
  maker.send("SET", "a", 1);
  assert.equal(Timeline.open(maker.disk, FOLDER).increments.length, 1);
});
