import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClientState, CommandContext, CommandTable } from "../../commands/command.ts";
import { ReplyWriter } from "../../protocol/reply-writer.ts";
import { Request } from "../../protocol/request.ts";
import { type ConfigHooks, configCommands, sensitiveArguments } from "./commands.ts";
import { Config } from "./config.ts";
import { MemoryDisk } from "./memory-disk.test.support.ts";

const CLIENT: ClientState = { id: 7, databaseIndex: 0 };

function requestOf(...words: string[]): Request {
  const request = new Request();
  request.reserve(words.length);
  request.input = Buffer.from(words.join(""), "latin1");
  request.count = words.length;
  let at = 0;
  for (const [index, word] of words.entries()) {
    request.offset[index] = at;
    request.length[index] = word.length;
    at += word.length;
  }
  return request;
}

class Bench {
  readonly config = new Config({ workingDirectory: "/etc" });
  readonly disk = new MemoryDisk();
  readonly events: string[] = [];
  suspensions = 0;
  private readonly table: CommandTable;

  constructor(hooks: Partial<ConfigHooks> = {}) {
    this.table = configCommands(this.config, {
      resetStatistics: () => void this.events.push("reset"),
      configFile: "/etc/a.conf",
      disk: this.disk,
      isLoading: () => false,
      isLocal: () => true,
      resume: (client, write) => {
        const reply = new ReplyWriter();
        write(reply);
        this.events.push(`client ${client.id}: ${Buffer.from(reply.take()).toString("latin1")}`);
      },
      ...hooks,
    });
  }

  /** Runs CONFIG with these words; the reply's bytes as text. */
  run(words: readonly string[], protocol: 2 | 3 = 2): string {
    const reply = new ReplyWriter();
    reply.protocol = protocol;
    const request = requestOf("CONFIG", ...words);
    const suspend = () => void this.suspensions++;
    const context = { request, reply, client: CLIENT, suspend } as unknown as CommandContext;
    this.table.CONFIG!.subcommands![words[0]!]!.run!(context);
    return Buffer.from(reply.take()).toString("latin1");
  }
}

test("CONFIG GET replies with a map, in RESP2 with a flat array", () => {
  const bench = new Bench();
  assert.equal(bench.run(["GET", "hz"]), "*2\r\n$2\r\nhz\r\n$2\r\n10\r\n");
  assert.equal(bench.run(["GET", "hz"], 3), "%1\r\n$2\r\nhz\r\n$2\r\n10\r\n");
  assert.equal(bench.run(["GET", "nothing"], 3), "%0\r\n");
});

test("CONFIG SET sets bytes as they came, and refuses a name without a value", () => {
  const bench = new Bench();
  assert.equal(bench.run(["SET", "masterauth", "\x00\xff", "hz", "20"]), "+OK\r\n");
  assert.equal(bench.config.text("masterauth"), "\x00\xff");
  assert.equal(bench.run(["SET", "hz", "30", "timeout"]), "-ERR syntax error\r\n");
  assert.equal(
    bench.run(["SET", "nosuch", "1"]),
    "-ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'\r\n",
  );
  assert.equal(bench.config.text("hz"), "20");
});

test("CONFIG SET with an applier that takes its time suspends the client and resumes it once", async () => {
  const bench = new Bench();
  let decide: (complaint: string | undefined) => void = () => assert.fail("not asked");
  bench.config.apply("port", () => new Promise((resolve) => (decide = resolve)));
  assert.equal(bench.run(["SET", "port", "7000"]), "");
  assert.equal(bench.suspensions, 1);
  assert.deepEqual(bench.events, []);
  decide(undefined);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(bench.events, ["client 7: +OK\r\n"]);
});

test("CONFIG REWRITE writes the file, tells the log, and says what went wrong", () => {
  const told: (string | undefined)[] = [];
  const bench = new Bench({ onRewrite: (failure) => void told.push(failure) });
  bench.run(["SET", "hz", "20"]);
  assert.equal(bench.run(["REWRITE"]), "+OK\r\n");
  assert.match(bench.disk.text("/etc/a.conf")!, /^hz 20$/m);
  bench.disk.failsFrom = 0;
  assert.equal(bench.run(["REWRITE"]), "-ERR Rewriting config file: Input/output error\r\n");
  assert.deepEqual(told, [undefined, "Input/output error"]);
  const fileless = new Bench({ configFile: undefined });
  assert.equal(fileless.run(["REWRITE"]), "-ERR The server is running without a config file\r\n");
});

test("CONFIG RESETSTAT resets what the server counts", () => {
  const bench = new Bench();
  assert.equal(bench.run(["RESETSTAT"]), "+OK\r\n");
  assert.deepEqual(bench.events, ["reset"]);
});

test("values of sensitive directives are found, under every name and case", () => {
  const request = requestOf("CONFIG", "SET", "hz", "1", "RequirePass", "x", "masterauth", "y", "timeout", "1");
  assert.deepEqual(sensitiveArguments(request), [5, 7]);
});
