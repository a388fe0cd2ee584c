/**
 * Servers that are killed while they write, again and again: what was promised is there after each start.
 *
 *      lane     one folder, one server after another      start ─► check ─► load ─► SIGKILL ─► start ...
 *      freeze   during the load, every now and then       SIGSTOP ─► copy of the files ─► SIGCONT
 *               the copy is what a kill at that moment would have left; a server in memory loads it
 *      writer   one connection, one database, one list    operation n pushes n; some flush the database before
 *      admin    rewrites, saves, directives, off and on
 *
 *  I1  After operation n the list holds all numbers since the last flush up to n: whatever is found tells up to where the
 *      writer's operations are there, and that none before it is missing, doubled or out of order.
 *  I2  With `always`, while the file is on, n is at least the last number that was acknowledged; with `everysec` the last
 *      one that was acknowledged two seconds before.
 *
 *  EVERKEY_TORTURE_SECONDS makes it longer, EVERKEY_TEST_SEED repeats the choices (the moments differ all the same).
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { ChildServer, Directives } from "../support/child-server.ts";
import { startEverkey } from "../support/everkey.ts";
import type { Argument, RawClient } from "../support/raw-client.ts";
import { runTool } from "../support/redis.ts";
import { freshSeed, SeededRandom } from "../support/seed.ts";
import { temporaryFolder } from "../support/temp.ts";
import { VirtualDisk } from "../support/virtual-disk.ts";
import { VirtualServer } from "../support/virtual-host.ts";
import { waitUntil } from "../support/wait.ts";

const SECONDS = Number(process.env.EVERKEY_TORTURE_SECONDS ?? "45");
const WRITERS = 4;
const LOAD_MS_MAX = 1500;
/** Between two freezes, ms at most. */
const PAUSE_MS_MAX = 60;
const FORGIVEN_MS = 2000;
const PUSH_SCRIPT = "redis.call('RPUSH', KEYS[1], ARGV[1]) return redis.call('INCR', KEYS[2])";

/** One connection's operations over all its servers' lives. */
class Writer {
  readonly database: number;
  sent = 0;
  acknowledged = 0;
  /** Acknowledged before the file was turned off, or known to be in a file since. */
  promised = 0;
  /** Numbers whose operation flushed the database first. */
  flushes: number[] = [];
  /** When numbers were acknowledged. */
  times: { number: number; timeMs: number }[] = [];

  constructor(database: number) {
    this.database = database;
  }

  /** The next operation's commands. */
  operation(random: SeededRandom): Argument[][] {
    const number = ++this.sent;
    const push: Argument[] = ["RPUSH", "list", number];
    const kind = random.below(100);
    if (kind < 50) return [push];
    if (kind < 65) return [["MULTI"], push, ["SET", "last", number], ["EXEC"]];
    if (kind < 80) return [["EVAL", PUSH_SCRIPT, 2, "list", "count", number]];
    if (kind < 88) return [push, ["SET", `brief:${number % 50}`, "x".repeat(random.below(2000)), "PX", 20]];
    if (kind < 93) return [push, ["SPOP", "set"], ["SADD", "set", number, number + 1]];
    if (kind < 97) return [push, ["GET", `brief:${number % 50}`]];
    this.flushes.push(number);
    return [["MULTI"], ["FLUSHDB"], push, ["EXEC"]];
  }

  /** Sends a batch and notes what comes back; false when the connection ended. */
  async work(client: RawClient, random: SeededRandom): Promise<boolean> {
    const operations: { number: number; length: number }[] = [];
    const commands: Argument[][] = [];
    for (let left = random.pick([1, 1, 1, 4, 30]); left > 0; left--) {
      const words = this.operation(random);
      operations.push({ number: this.sent, length: words.length });
      commands.push(...words);
    }
    const replies = await client.pipeline(commands);
    let at = 0;
    for (const { number, length } of operations) {
      for (const reply of replies.slice(at, at + length)) {
        if (reply === undefined) return false;
        assert.notEqual(reply[0], 0x2d, reply.toString());
      }
      at += length;
      this.acknowledged = number;
      this.times.push({ number, timeMs: performance.now() });
    }
    return true;
  }

  /** Compares what a server found with what must be there. */
  examine(found: readonly number[], floor: number, where: string): void {
    const last = found.at(-1) ?? 0;
    const text = `${where}, database ${this.database}: found up to ${last}, promised ${floor}, acknowledged ${this.acknowledged}, sent ${this.sent}`;
    assert.ok(last >= floor && last <= this.sent, text);
    const first = this.flushes.findLast((number) => number <= last) ?? 1;
    const expected = Array.from({ length: last === 0 ? 0 : last - first + 1 }, (_, index) => first + index);
    assert.deepEqual(found, expected, text);
  }

  /** Goes on from what a server found. */
  adopt(found: readonly number[]): void {
    const last = found.at(-1) ?? 0;
    this.flushes = this.flushes.filter((number) => number <= last);
    this.sent = last;
    this.acknowledged = last;
    this.promised = last;
    this.times = [];
  }
}

interface Lane {
  readonly name: string;
  readonly directives: Directives;
  /** Every acknowledged write is promised. */
  readonly isAlways: boolean;
}

const LANES: readonly Lane[] = [
  {
    name: "always",
    directives: { appendfsync: "always", "history-keep": "1d", "auto-aof-rewrite-min-size": "64kb" },
    isAlways: true,
  },
  {
    name: "everysec",
    directives: {
      appendfsync: "everysec",
      "aof-use-rdb-preamble": "no",
      "aof-timestamp-enabled": "yes",
      save: "1 100",
    },
    isAlways: false,
  },
];

for (const lane of LANES) {
  test(`a server with appendfsync ${lane.name} that is killed again and again keeps what it promised`, async (t) => {
    const seed = freshSeed();
    t.diagnostic(`seed ${seed}`);
    const random = new SeededRandom(seed);
    const dir = temporaryFolder(t, `torture-${lane.name}`);
    const writers = Array.from({ length: WRITERS }, (_, index) => new Writer(index));
    const endMs = performance.now() + (SECONDS * 1000) / LANES.length;
    const counts = { kills: 0, freezes: 0, operations: 0, admitted: 0 };
    // Two servers of one folder never live at once; two lanes side by side would only share the processors.
    for (; performance.now() < endMs || counts.kills < 3; counts.kills++) {
      const server = await start(t, dir, lane);
      const where = `seed ${seed}, life ${counts.kills}`;
      await verify(server, writers, lane, where);
      if (counts.kills % 8 === 7) await checkFiles(dir);
      const before = writers.map(({ sent }) => sent);
      const round = new Round(server, writers, random, lane);
      await round.run(random.between(50, LOAD_MS_MAX));
      counts.admitted += round.admitted;
      counts.freezes += round.images.length;
      counts.operations += writers.reduce((sum, { sent }, index) => sum + sent - before[index]!, 0);
      for (const [index, image] of round.images.entries()) await examine(image, writers, `${where}, freeze ${index}`);
    }
    const last = await start(t, dir, lane);
    await verify(last, writers, lane, `seed ${seed}, the end`);
    await last.kill();
    t.diagnostic(JSON.stringify(counts));
    assert.ok(counts.operations > 100 && counts.admitted > 0, JSON.stringify(counts));
  });
}

/** The files as a kill would leave them, and what must be in them. */
interface Image {
  readonly disk: VirtualDisk;
  readonly floors: readonly number[];
}

/** Loads an image into a server in memory and looks at the lists. */
async function examine({ disk, floors }: Image, writers: readonly Writer[], where: string): Promise<void> {
  const world = new VirtualServer({ disk, directives: ["--appendonly", "yes", "--save", ""] });
  await world.start().catch((error: Error) => assert.fail(`${where}: ${error.message}\n${disk.paths().join("\n")}`));
  const peer = world.connect();
  for (const [index, writer] of writers.entries()) {
    peer.ask("SELECT", writer.database);
    const lines = peer.ask("LRANGE", "list", "0", "-1").split("\r\n");
    const found = lines.slice(1, -1).filter((_, at) => at % 2 === 1);
    writer.examine(found.map(Number), floors[index]!, where);
  }
  await world.stop();
}

function start(t: TestContext, dir: string, { directives }: Lane): Promise<ChildServer> {
  return startEverkey({ dir, directives: { appendonly: "yes", hz: 100, ...directives } }).then((server) => {
    t.after(() => server.kill());
    return server;
  });
}

async function verify(server: ChildServer, writers: readonly Writer[], lane: Lane, where: string): Promise<void> {
  const client = await server.connect();
  for (const writer of writers) {
    await client.ask("SELECT", writer.database);
    const found = ((await client.ask("LRANGE", "list", 0, -1)) as (string | Buffer)[]).map(Number);
    writer.examine(found, writer.promised, `${lane.name}, ${where}\n${server.log()}`);
    writer.adopt(found);
  }
  client.close();
}

/** The real tool finds nothing wrong with the files of a server that has just been started. */
async function checkFiles(dir: string): Promise<void> {
  const manifest = join(dir, "appendonlydir", "appendonly.aof.manifest");
  const { code, stdout, stderr } = await runTool("redis-check-aof", [manifest]);
  assert.equal(code, 0, stdout + stderr);
}

/** Whether a thread stands still: the letter behind the name in parentheses. */
function isStopped(pid: number, thread: string): boolean {
  const text = readFileSync(`/proc/${pid}/task/${thread}/stat`, "latin1");
  return /^[TtXZ]/.test(text.slice(text.lastIndexOf(")") + 2));
}

/** One server's life under load. */
class Round {
  /** Commands of the administrator that were answered. */
  admitted = 0;
  readonly images: Image[] = [];
  private readonly server: ChildServer;
  private readonly writers: readonly Writer[];
  private readonly random: SeededRandom;
  private readonly lane: Lane;
  private isOver = false;
  /** The file was on all the time, or is on again with a base of its own. */
  private isOn = true;

  constructor(server: ChildServer, writers: readonly Writer[], random: SeededRandom, lane: Lane) {
    this.server = server;
    this.writers = writers;
    this.random = random;
    this.lane = lane;
  }

  async run(loadMs: number): Promise<void> {
    const work = [...this.writers.map((writer) => this.write(writer)), this.administer()];
    const endMs = performance.now() + loadMs;
    while (performance.now() < endMs) {
      await new Promise((resolve) => setTimeout(resolve, this.random.below(PAUSE_MS_MAX)));
      await this.freeze();
    }
    this.isOver = true;
    this.promise();
    await this.server.kill();
    await Promise.all(work);
  }

  /** Stops the server for as long as it takes to copy its files. Only where the system tells that it has stopped. */
  private async freeze(): Promise<void> {
    const { pid, dir } = this.server;
    if (!existsSync(`/proc/${pid}/task`)) return;
    this.promise();
    const floors = this.writers.map(({ promised }) => promised);
    process.kill(pid, "SIGSTOP");
    await waitUntil("all threads to stop", () => readdirSync(`/proc/${pid}/task`).every((id) => isStopped(pid, id)));
    const disk = new VirtualDisk();
    const folder = join(dir, "appendonlydir");
    for (const name of readdirSync(folder)) disk.put(`/data/appendonlydir/${name}`, readFileSync(join(folder, name)));
    process.kill(pid, "SIGCONT");
    this.images.push({ disk, floors });
  }

  /** What the writers have heard so far will have to be there. */
  private promise(): void {
    if (!this.isOn) return;
    const nowMs = performance.now();
    for (const writer of this.writers) {
      const old = writer.times.findLast(({ timeMs }) => timeMs <= nowMs - FORGIVEN_MS)?.number ?? 0;
      writer.promised = Math.max(writer.promised, this.lane.isAlways ? writer.acknowledged : old);
    }
  }

  private async write(writer: Writer): Promise<void> {
    try {
      const client = await this.server.connect();
      await client.call("SELECT", writer.database);
      while (!this.isOver && (await writer.work(client, this.random)));
      client.close();
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      // The server was killed while somebody connected.
    }
  }

  private async administer(): Promise<void> {
    const { random } = this;
    try {
      const client = await this.server.connect();
      while (!this.isOver) {
        const kind = random.below(10);
        if (kind < 4) await client.call("BGREWRITEAOF");
        else if (kind < 5) await client.call("BGSAVE");
        else if (kind < 6 && !this.lane.isAlways) await this.setPolicy(client);
        else if (kind < 7) await this.turnOffAndOn(client);
        else await client.call("INFO", "persistence");
        this.admitted++;
        await new Promise((resolve) => setTimeout(resolve, random.below(15)));
      }
      client.close();
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
    }
  }

  private async setPolicy(client: RawClient): Promise<void> {
    await client.call("CONFIG", "SET", "appendfsync", this.random.pick(["always", "everysec", "no"]));
  }

  /** While the file is off, and until its new base is there, nothing is promised beyond what was before. */
  private async turnOffAndOn(client: RawClient): Promise<void> {
    this.promise();
    this.isOn = false;
    await client.call("CONFIG", "SET", "appendonly", "no");
    await new Promise((resolve) => setTimeout(resolve, this.random.below(10)));
    const before = await this.finishedRewrites(client);
    const reply = await client.call("CONFIG", "SET", "appendonly", "yes");
    if (reply !== undefined) assert.equal(reply.toString(), "+OK\r\n", this.server.log());
    while (!this.isOver && (await this.finishedRewrites(client)) <= before);
    // What was acknowledged from now on was on the device; what came before is in the base or behind it.
    if (this.isOver) return;
    this.isOn = true;
  }

  /** Those that have ended well; none while one is under way. */
  private async finishedRewrites(client: RawClient): Promise<number> {
    const text = (await client.call("INFO", "persistence"))?.toString();
    if (text === undefined) return Number.POSITIVE_INFINITY;
    const isRunning = !text.includes("aof_rewrite_in_progress:0") || !text.includes("aof_last_bgrewrite_status:ok");
    return isRunning ? -1 : Number(/aof_rewrites:(\d+)/.exec(text)![1]);
  }
}
