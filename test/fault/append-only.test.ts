import assert from "node:assert/strict";
import { test } from "node:test";
import { encode } from "../../src/session/testing.ts";
import { freshSeed, SeededRandom } from "../support/seed.ts";
import { VirtualDisk } from "../support/virtual-disk.ts";
import { check, FOLDER, Story, SURVIVALS } from "./append-only-story.ts";

const MISCONF = "-MISCONF Errors writing to the AOF file: ";
const INCREMENT = `${FOLDER}/appendonly.aof.1.incr.aof`;

/** Until the server takes writes again; the number of ms that passed. */
function recoveryMs(story: Story): number {
  for (let ms = 0; ms <= 15_000; ms += 100) {
    if (story.write().endsWith("\r\n") && story.ask("SET", "probe", "x") === "+OK\r\n") return ms;
    story.rest(100);
  }
  assert.fail(`no recovery:\n${story.world.lines.slice(-10).join("\n")}`);
}

for (const policy of ["always", "everysec", "no"]) {
  for (const [code, reason] of [
    ["EIO", "Input/output error"],
    ["ENOSPC", "No space left on device"],
  ] as const) {
    test(`a write that fails with ${code}, appendfsync ${policy}: MISCONF as Redis says it, reads go on, and it recovers`, async () => {
      const disk = new VirtualDisk();
      const story = await Story.start(disk, "--appendfsync", policy);
      story.promises = policy === "always";
      story.writes(3);
      disk.tornShare = 0.5;
      disk.fault = (_step, operation, path) => (operation === "write" && path === INCREMENT ? code : undefined);
      const heard = story.write();
      if (policy === "always") assert.equal(heard, "", "closed without a word");
      else assert.match(heard, /:4\r\n$/);
      for (let turn = 0; turn < 30; turn++) {
        assert.equal(story.ask("SET", "a", "b"), `${MISCONF}${reason}\r\n`);
        assert.equal(story.ask("PING"), `${MISCONF}${reason}\r\n`);
        assert.equal(story.ask("GET", "count"), "$1\r\n4\r\n");
        assert.match(story.ask("INFO", "persistence"), /aof_last_write_status:err\r\n/);
        story.rest(100);
      }
      disk.fault = () => undefined;
      assert.ok(recoveryMs(story) <= 1100);
      assert.match(story.ask("INFO", "persistence"), /aof_last_write_status:ok\r\n/);
      story.rest(1500);
      if (policy !== "no") story.promised = story.applied.length;
      await check(story.moment(SURVIVALS[0]!, "after recovery"));
    });
  }

  test(`a full disk, appendfsync ${policy}: the write that does not fit leaves no trace, and room makes it good`, async () => {
    for (const freeBytes of [0, 1, 50, 150]) {
      const disk = new VirtualDisk();
      const story = await Story.start(disk, "--appendfsync", policy);
      story.promises = policy === "always";
      story.writes(2);
      disk.freeBytes = freeBytes;
      for (let turn = 0; turn < 5; turn++) story.write();
      assert.match(
        story.ask("SET", "a", "b"),
        /^-MISCONF Errors writing to the AOF file: No space left on device\r\n$/,
      );
      assert.equal(story.world.logged("Free some space"), 1);
      await check(story.moment({ names: true, share: 1 }, `${freeBytes} bytes`), "--aof-load-truncated", "no");
      disk.freeBytes = 1e6;
      assert.ok(recoveryMs(story) <= 1100);
    }
  });
}

for (const policy of ["always", "everysec"]) {
  test(`after an fsync that failed the file is not trusted again, appendfsync ${policy}: a new base is written, MISCONF until then`, async () => {
    const disk = new VirtualDisk();
    const story = await Story.start(disk, "--appendfsync", policy);
    story.promises = policy === "always";
    story.writes(3);
    story.rest(1200);
    // The system forgets what it could not write: the fsync after it says nothing.
    let hasFailed = false;
    disk.fault = (_step, operation, path) => {
      if (operation !== "fsync" || path !== INCREMENT || hasFailed) return undefined;
      hasFailed = true;
      return "EIO";
    };
    story.world.host.background.isHeld = true;
    const heard = story.write();
    if (policy === "always") assert.equal(heard, "");
    story.rest(1500);
    for (let turn = 0; turn < 5; turn++) {
      assert.equal(story.ask("SET", "a", "b"), `${MISCONF}Input/output error\r\n`);
      assert.equal(story.ask("GET", "count"), "$1\r\n4\r\n");
      story.rest(100);
    }
    assert.ok(story.world.server.appendOnly.isRewriting());
    story.world.host.background.release();
    story.rest(500);
    assert.match(story.write(), /:5\r\n$/);
    assert.equal(story.world.logged("is whole again"), 1);
    assert.ok(!disk.paths().includes(INCREMENT), "the file in doubt is gone");
    story.rest(1200);
    await check({ ...story.moment(SURVIVALS[0]!, "after"), promised: story.applied.length });
  });
}

test("reads are answered during a fault although keys expire and the log grows without being written", async () => {
  for (const failing of ["write", "fsync"]) {
    const disk = new VirtualDisk();
    const story = await Story.start(disk);
    story.ask("SET", "a", "1", "PX", "3000");
    story.ask("SET", "b", "1", "PX", "3000");
    disk.fault = (_step, operation) => (operation === failing ? "EIO" : undefined);
    story.client().command("SET", "c", "1");
    assert.match(story.ask("SET", "c", "1"), /^-MISCONF/);
    story.ask("DEBUG", "SET-ACTIVE-EXPIRE", "0");
    story.rest(4000);
    for (const key of ["a", "b", "a"]) assert.equal(story.ask("GET", key), "$-1\r\n", failing);
    disk.fault = () => undefined;
    recoveryMs(story);
  }
});

test("whatever step fails, once or for some seconds, nothing promised is lost, and the server takes writes again", async (t) => {
  const seed = freshSeed();
  t.diagnostic(`seed ${seed}`);
  const random = new SeededRandom(seed);
  const stories: readonly (readonly string[])[] = [
    [],
    ["--history-keep", "1d"],
    ["--aof-use-rdb-preamble", "no", "--appendfsync", "everysec"],
  ];
  let runs = 0;
  for (const directives of stories) {
    for (let first = 0, isOver = false; !isOver; first += random.between(1, 5)) {
      const disk = new VirtualDisk();
      const story = await Story.start(disk, ...directives);
      const isAlways = !directives.includes("everysec");
      story.promises = isAlways;
      const start = disk.steps.length + first;
      const code = random.pick(["EIO", "ENOSPC"]);
      const failures = random.pick([1, 1, 2, 10, 1000]);
      let where = "";
      const what = (): string => `seed ${seed}, ${failures} failures from ${where}`;
      const crashes = [random.below(60), random.below(60)].map((offset) => start + offset);
      const moments = [] as ReturnType<Story["moment"]>[];
      disk.tornShare = random.pick([0, 0.5, 1]);
      disk.fault = (step, operation, path) => {
        if (crashes.includes(step)) moments.push(story.moment(random.pick(SURVIVALS), `${what()}, crash at ${step}`));
        if (operation === "close" || step < start || step >= start + failures) return undefined;
        if (where === "") where = `${operation} ${path}`;
        return code;
      };
      story.writes(2);
      story.rewrite();
      story.writes(1);
      if (random.chance(0.3)) {
        const off = story.ask("CONFIG", "SET", "appendonly", "no");
        assert.match(off, /^\+OK/, what());
        story.promises = false;
        story.write();
        // It may be refused; then the file stays off.
        if (story.ask("CONFIG", "SET", "appendonly", "yes").startsWith("-")) {
          assert.equal(story.ask("CONFIG", "GET", "appendonly").includes("no"), true, what());
          disk.fault = () => undefined;
          assert.equal(story.ask("CONFIG", "SET", "appendonly", "yes"), "+OK\r\n", what());
        }
      }
      story.rest(2000);
      story.rewrite();
      isOver = disk.steps.length <= start;
      disk.fault = () => undefined;
      recoveryMs(story);
      story.rest(11_000);
      assert.equal(story.world.server.appendOnly.file.state, "on", what());
      story.promises = isAlways;
      story.rewrite();
      assert.equal(story.world.server.appendOnly.lastRewriteStatus, "ok", what());
      story.writes(2);
      story.rest(1200);
      assert.equal(story.world.server.appendOnly.file.fault, undefined, what());
      for (const moment of moments) await (await check(moment, ...directives)).world.stop();
      const end = { ...story.moment(SURVIVALS[0]!, `${what()}, the end`), promised: story.applied.length };
      runs++;
      const files = disk.list(FOLDER).filter((name) => name.startsWith("temp-"));
      assert.deepEqual(files, [], what());
      await (await check(end, ...directives)).world.stop();
      await story.world.stop();
      assert.equal(disk.openFiles, 0, what());
    }
  }
  assert.ok(runs > 30, String(runs));
  t.diagnostic(`${runs} runs`);
});

test("the start fails with the reason when the first files cannot be made, and the next start has them", async () => {
  for (let failing = 0; ; failing++) {
    const disk = new VirtualDisk();
    disk.makeDirectory("/data");
    const story = Story.make(disk);
    const first = disk.steps.length + failing;
    disk.fault = (step) => (step === first ? "EIO" : undefined);
    const error = await story.world.start().then(
      () => undefined,
      (reason: Error) => reason,
    );
    if (disk.steps.length <= first) break;
    const where = disk.steps[first]!;
    if (error !== undefined) assert.match(error.message, /Input\/output error/, where);
    disk.fault = () => undefined;
    const next = await check({ disk: disk.afterCrash(), applied: [], next: 1, promised: 0, where });
    next.writes(2);
    await check(next.moment(SURVIVALS[0]!, `${where}, and again`));
  }
});

test("replies keep their order while an fsync takes its time: several clients, messages, long replies, QUIT, kills", async () => {
  const disk = new VirtualDisk();
  const story = await Story.start(disk);
  const { world } = story;
  const clock = world.host.clock;
  const long = "L".repeat(200_000);
  story.ask("SET", "long", long);
  const subscriber = world.connect();
  subscriber.ask("SUBSCRIBE", "channel");
  const waiting = world.connect();
  waiting.command("BLPOP", "queue", "0");
  const monitor = world.connect();
  monitor.ask("MONITOR");
  const syncs: (() => void)[] = [];
  disk.later = (task) => syncs.push(task);

  const writer = world.connect();
  const reader = world.connect();
  const quitter = world.connect();
  const vanishing = world.connect();
  const victim = world.connect();
  writer.send(encode("SET", "a", "1") + encode("GET", "long") + encode("PUBLISH", "channel", "one"));
  reader.send(encode("GET", "a") + encode("PING"));
  quitter.send(encode("SET", "b", "2") + encode("QUIT"));
  vanishing.command("SET", "c", "3").close();
  const id = victim.command("CLIENT", "ID");
  assert.equal(id.take(), "", "it may have read what is not durable");
  writer.command("RPUSH", "queue", "job");
  writer.command("PUBLISH", "channel", "two");
  reader.command("RESET");
  reader.command("GET", "a");
  const held = [writer, reader, quitter, vanishing, victim, subscriber, waiting];
  for (const peer of held) assert.equal(peer.take(), "");
  assert.equal(quitter.connection.isEnded, false);
  assert.equal(monitor.take(), "");
  victim.connection.destroy();

  disk.later = (task) => clock.soon(task);
  syncs.shift()!();
  clock.runSoon();
  assert.equal(syncs.length, 0);
  assert.equal(writer.take(), `+OK\r\n$200000\r\n${long}\r\n:1\r\n:1\r\n:1\r\n`);
  assert.equal(reader.take(), "$1\r\n1\r\n+PONG\r\n+RESET\r\n$1\r\n1\r\n");
  assert.equal(quitter.take(), "+OK\r\n+OK\r\n");
  assert.equal(quitter.connection.isEnded, true);
  assert.equal(waiting.take(), "*2\r\n$5\r\nqueue\r\n$3\r\njob\r\n");
  const message = (text: string): string => `*3\r\n$7\r\nmessage\r\n$7\r\nchannel\r\n$3\r\n${text}\r\n`;
  assert.equal(subscriber.take(), message("one") + message("two"));
  const shown = [...monitor.take().matchAll(/\] (.*)\r\n/g)].map((match) => match[1]);
  assert.deepEqual(shown.slice(0, 3), ['"SET" "a" "1"', '"GET" "long"', '"PUBLISH" "channel" "one"']);
  assert.deepEqual(shown.slice(-3), ['"PUBLISH" "channel" "two"', '"RESET"', '"GET" "a"']);
  assert.equal(vanishing.take(), "");
});

test("SHUTDOWN waits for nothing that is not durable, and is refused while the file is in doubt or has no base", async () => {
  const disk = new VirtualDisk();
  const story = await Story.start(disk, "--appendfsync", "everysec");
  story.writes(2);
  disk.fault = (_step, operation) => (operation === "fsync" ? "EIO" : undefined);
  assert.match(story.ask("SHUTDOWN"), /^-ERR Errors trying to SHUTDOWN/);
  disk.fault = () => undefined;
  assert.match(story.ask("SHUTDOWN"), /^-ERR Errors trying to SHUTDOWN/);
  story.rest(6000);
  story.writes(1);
  story.ask("CONFIG", "SET", "appendonly", "no");
  story.world.host.background.isHeld = true;
  assert.equal(story.ask("CONFIG", "SET", "appendonly", "yes"), "+OK\r\n");
  assert.match(story.ask("SHUTDOWN"), /^-ERR Errors trying to SHUTDOWN/);
  assert.equal(story.world.logged("Writing initial AOF, can't exit."), 1);
  story.world.host.background.release();
  story.rest(500);
  story.writes(1);
  assert.equal(story.ask("SHUTDOWN"), "");
  await check({ ...story.moment(SURVIVALS[0]!, "after SHUTDOWN"), promised: story.applied.length });
});
