/**
 * Scripts and functions beside the real server: byte for byte in RESP2 and RESP3, values at random, and what other
 * clients hear while a script does not end.
 *
 *  I1  Both servers have run the same before: state that scripts keep (random numbers, settings of cjson) is alike.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startSubject } from "../support/everkey.ts";
import { pairOfServers } from "../support/pair-of-servers.ts";
import { RawClient } from "../support/raw-client.ts";
import { startRedis } from "../support/redis.ts";
import { printedSeed, SeededRandom } from "../support/seed.ts";
import { LIBRARIES, SCRIPTS } from "./script-cases.ts";
import { LIBRARY_EXPRESSIONS } from "./script-library-cases.ts";

/** Lua that shows any value as text, tables with their keys in order. */
const SHOW = `
local function show(value, depth)
  local kind = type(value)
  if kind == "number" then return string.format("%.17g", value) end
  if kind == "string" then return #value .. ":" .. value end
  if kind ~= "table" then return kind == "boolean" and tostring(value) or kind end
  if depth > 6 then return "..." end
  local keys, text = {}, "{"
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(left, right) return tostring(left) < tostring(right) end)
  for _, key in ipairs(keys) do text = text .. "[" .. show(key, depth + 1) .. "]=" .. show(value[key], depth + 1) .. "," end
  return text .. "}"
end
local function all(...)
  local shown = { select("#", ...) }
  for index = 1, select("#", ...) do shown[#shown + 1] = show((select(index, ...)), 0) end
  return shown
end
`;

function commandOf(text: string): string[] {
  return text.startsWith("!") ? (JSON.parse(text.slice(1)) as string[]) : ["EVAL", text, "2", "k1", "k2", "a1", "a2"];
}

describe("scripts answer as the real server's do", () => {
  const pair = pairOfServers("scripting", { "enable-debug-command": "yes" });

  for (const protocol of [2, 3]) {
    test(`the sandbox, conversions and errors in RESP${protocol}`, async () => {
      await pair.equal("FLUSHALL");
      await pair.equal("SCRIPT", "FLUSH");
      await pair.both("HELLO", protocol);
      for (const text of SCRIPTS) await pair.equal(...commandOf(text));
    });

    test(`functions in RESP${protocol}`, async () => {
      await pair.equal("FLUSHALL");
      await pair.equal("FUNCTION", "FLUSH");
      await pair.both("HELLO", protocol);
      for (const text of LIBRARIES) await pair.equal(...commandOf(text));
    });
  }

  test("cjson, cmsgpack, struct and bit", async () => {
    await pair.both("HELLO", 2);
    for (const expression of LIBRARY_EXPRESSIONS) await pair.equal("EVAL", `${SHOW} return all(${expression})`, 0);
  });

  test("values at random come back from JSON, MessagePack and replies as they do there", async () => {
    const random = new SeededRandom(printedSeed("values of scripts"));
    for (let round = 0; round < 300; round++) {
      const value = randomValue(random, 0);
      const script = `${SHOW} local v = ${value} return { all(cjson.encode(v)), all(cmsgpack.unpack(cmsgpack.pack(v))), v }`;
      // Tables without order are written in the order of Lua's own hash, which is the same in both.
      await pair.equal("EVAL", script, 0);
    }
  });

  test("what FUNCTION DUMP gives is restored by either server", async () => {
    const code = "#!lua name=dumped\nredis.register_function('dumped', function() return 'here' end)";
    await pair.equal("FUNCTION", "FLUSH");
    await pair.equal("FUNCTION", "LOAD", code);
    const dumps = [await pair.ours.call("FUNCTION", "DUMP"), await pair.theirs.call("FUNCTION", "DUMP")];
    for (const dump of dumps) {
      const payload = dump!.subarray(dump!.indexOf("\r\n") + 2, -2);
      await pair.equal("FUNCTION", "RESTORE", payload);
      await pair.equal("FUNCTION", "RESTORE", payload, "REPLACE");
      await pair.equal("FUNCTION", "RESTORE", payload, "FLUSH");
      await pair.equal("FCALL", "dumped", 0);
    }
  });

  test("functions are in the snapshot", async () => {
    assert.match(await pair.equal("FUNCTION", "LIST"), /dumped/);
    await pair.equal("DEBUG", "RELOAD");
    await pair.equal("FCALL", "dumped", 0);
  });

  test("a user's scripts may do no more than the user", async () => {
    await pair.equal("ACL", "SETUSER", "limited", "on", "nopass", "~mine*", "+@all", "-set");
    const user = async (client: RawClient, ...command: string[]): Promise<string> => {
      await client.call("AUTH", "limited", "x");
      const reply = String(await client.call(...command));
      await client.call("AUTH", "default", "");
      return reply;
    };
    for (const script of [
      "return redis.call('get', 'mine')",
      "return redis.acl_check_cmd('get', 'yours')",
      "return redis.acl_check_cmd('set', 'mine', 'x')",
      "return redis.acl_check_cmd('get', 'mine')",
    ]) {
      assert.equal(await user(pair.ours, "EVAL", script, "0"), await user(pair.theirs, "EVAL", script, "0"));
    }
    for (const script of ["return redis.call('get', 'yours')", "return redis.call('set', 'mine', 1)"]) {
      // Redis 7.2 says more than 7.0 does.
      assert.match(await user(pair.ours, "EVAL", script, "0"), /^-ERR ACL failure in script: /);
      assert.match(await user(pair.theirs, "EVAL", script, "0"), /^-ERR The user executing the script can't/);
    }
  });

  test("a waiting client is served after the script that pushed, a watched key makes EXEC do nothing", async () => {
    await pair.equal("FLUSHALL");
    await pair.equal("WATCH", "w");
    await pair.equal("EVAL", "redis.call('set', 'w', 1) return 1", 0);
    await pair.equal("MULTI");
    await pair.equal("EVAL", "return redis.call('incr', 'n')", 0);
    await pair.equal("EXEC");
    await pair.equal("MULTI");
    await pair.equal("EVAL", "return {redis.call('incr', 'n'), redis.pcall('lpush', 'n', 1)}", 0);
    await pair.equal("GET", "n");
    await pair.equal("EXEC");
  });
});

describe("a script that exhausts what there is", () => {
  const pair = pairOfServers("scripting-limits");
  const alive = async (): Promise<void> => {
    assert.equal((await pair.ours.call("EVAL", "return 'alive'", 0))?.toString(), "$5\r\nalive\r\n");
  };

  test("recursion in patterns and coroutines ends in an error, and the server lives", async () => {
    const recursions = [
      "return string.rep('a', 300000):match(string.rep('a?', 300000))",
      "local function f() local co = coroutine.wrap(f) return co() end return f()",
      "local function f(x) return setmetatable({}, { __index = function(t, k) return f(x)[k] end }) end return f(1).y",
    ];
    for (const script of recursions) {
      assert.match((await pair.ours.call("EVAL", script, 0))!.toString("latin1"), /^-ERR /);
      await alive();
    }
  });

  test("memory without end ends in an error, and the server lives", async () => {
    const script = "local t = {} while true do t[#t + 1] = string.rep('x', 10000000) .. #t end";
    assert.match((await pair.ours.call("EVAL", script, 0))!.toString("latin1"), /^-ERR not enough memory/);
    await alive();
  });

  test("what was forced into a protected table is gone with the script", async () => {
    await pair.ours.call("EVAL", "table.insert(redis, 1) table.insert(_G, 2) return 1", 0);
    assert.equal((await pair.ours.call("EVAL", "return {rawget(redis, 1), _G[1]}", 0))?.toString().slice(0, 4), "-ERR");
    await alive();
  });

  test("10,000 scripts are cached, and SCRIPT FLUSH gives their memory back", async () => {
    const memory = async (): Promise<number> => {
      const info = (await pair.ours.call("INFO", "memory"))!.toString();
      return Number(/used_memory_vm_eval:(\d+)/.exec(info)![1]);
    };
    await pair.ours.call("SCRIPT", "FLUSH");
    assert.equal(await memory(), 0);
    for (let index = 0; index < 10_000; index++) {
      void pair.ours.call("EVAL", `return ${index}`, 0);
      if (index % 500 === 499) await pair.ours.call("PING");
    }
    assert.match((await pair.ours.call("INFO", "memory"))!.toString(), /number_of_cached_scripts:10000/);
    assert.ok((await memory()) < 10_000 * 1500, `${await memory()} bytes`);
    await pair.ours.call("SCRIPT", "FLUSH");
    assert.equal(await memory(), 0);
  });
});

/** What two clients hear from a server while a third one's script does not end, until that one is gone. */
async function busyStory(port: number, loop: string[], after: string[][]): Promise<string[]> {
  const boss = await RawClient.connect(port);
  const runner = await RawClient.connect(port);
  const told: string[] = [];
  await boss.call("CONFIG", "SET", "busy-reply-threshold", 20);
  await boss.call("FUNCTION", "LOAD", "REPLACE", LOOPS);
  const end = runner.call(...loop);
  // Whether the script or this comes first is the system's choice: once it runs, nobody else is answered.
  let first = "";
  do first = String(await boss.call("PING"));
  while (first.startsWith("+PONG"));
  told.push(first);
  for (const command of after) told.push(`${command.join(" ")}: ${await boss.call(...command)}`);
  told.push(String(await end));
  boss.close();
  runner.close();
  return told;
}

const LOOPS = `#!lua name=loops
redis.register_function('loop', function() while true do end end)
redis.register_function('write', function() redis.call('set', 'x', 1) while true do end end)`;

describe("a script that does not end", () => {
  const stories: readonly [name: string, loop: string[], after: string[][]][] = [
    [
      "is ended by SCRIPT KILL",
      ["EVAL", "while true do end", "0"],
      [
        ["GET", "a"],
        ["FUNCTION", "KILL"],
        ["SCRIPT", "KILL"],
      ],
    ],
    [
      "inside pcall is ended by SCRIPT KILL",
      ["EVAL", "while true do pcall(function() while true do end end) end", "0"],
      [["MULTI"], ["EXEC"], ["SCRIPT", "KILL"]],
    ],
    [
      "inside coroutines is ended by SCRIPT KILL",
      ["EVAL", "local co = coroutine.wrap(function() while true do end end) co()", "0"],
      [
        ["FUNCTION", "STATS"],
        ["SCRIPT", "KILL"],
      ],
    ],
    [
      "as a function is ended by FUNCTION KILL",
      ["FCALL", "loop", "0"],
      [
        ["SCRIPT", "KILL"],
        ["FUNCTION", "KILL"],
      ],
    ],
    [
      "and has written lives until SHUTDOWN NOSAVE",
      ["EVAL", "redis.call('set', 'x', 1) while true do end", "0"],
      [["SCRIPT", "KILL"], ["SHUTDOWN"], ["SHUTDOWN", "SAVE"], ["SHUTDOWN", "NOSAVE"]],
    ],
    [
      "as a function that has written lives until SHUTDOWN NOSAVE",
      ["FCALL", "write", "0"],
      [
        ["FUNCTION", "KILL"],
        ["SHUTDOWN", "NOSAVE"],
      ],
    ],
  ];
  for (const [name, loop, after] of stories) {
    test(`a script that ${name}`, async () => {
      const [redis, subject] = [await startRedis(), await startSubject()];
      try {
        const [theirs, ours] = await Promise.all([
          busyStory(redis.port, loop, after),
          busyStory(subject.port, loop, after),
        ]);
        assert.deepEqual(ours, theirs);
        assert.match(ours[0]!, /^-BUSY/);
      } finally {
        await Promise.all([redis.stop(), subject.stop()]);
      }
    });
  }
});

const LEAVES = [
  "0",
  "1",
  "-1",
  "3.25",
  "1e15",
  "-2^31",
  "2^53",
  "true",
  "false",
  "''",
  "'text'",
  "'\\0\\255'",
  "'a\\nb'",
  "255",
  "65536",
];

/** A value as Lua writes it. */
function randomValue(random: SeededRandom, depth: number): string {
  if (depth > 3 || random.below(3) === 0) return LEAVES[random.below(LEAVES.length)]!;
  const parts: string[] = [];
  const count = random.below(5);
  const isArray = random.below(2) === 0;
  for (let index = 0; index < count; index++) {
    const value = randomValue(random, depth + 1);
    parts.push(isArray ? value : `["k${random.below(20)}"]=${value}`);
  }
  return `{${parts.join(",")}}`;
}
