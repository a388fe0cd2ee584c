/**
 * ACL beside the real redis-server: rules drawn by seed, every command tried under them, refusals compared.
 *
 *      seed ──► rules ──► ACL SETUSER on both ──► same acceptance, same GETUSER ──► ACL DRYRUN of every command on both
 *
 *  7.2 says some things otherwise than the 7.0 that we compare with: see `asIn70`.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ChildServer } from "../../../test/support/child-server.ts";
import { startSubject } from "../../../test/support/everkey.ts";
import type { RawClient } from "../../../test/support/raw-client.ts";
import { startRedis } from "../../../test/support/redis.ts";
import { freshSeed, SeededRandom } from "../../../test/support/seed.ts";

type Plain = string | number | null | Plain[];

/** Words of 7.2 in those of 7.0: refusals did not name the user, and the flag for payloads was shown when it was set. */
function asIn70(text: string): string {
  return text
    .replace(/User \S+ has no permissions/g, "This user has no permissions")
    .replace("NOPERM This user", "NOPERM this user")
    .replace(
      "No permissions to access a key",
      "this user has no permissions to access one of the keys used as arguments",
    )
    .replace(
      "No permissions to access a channel",
      "this user has no permissions to access one of the channels used as arguments",
    )
    .replace(/ (?:skip-)?sanitize-payload/g, "")
    .replace(/\$(?:16|21)\r\n(?:skip-)?sanitize-payload\r\n/g, "");
}

/** Commands whose categories or keys 7.2 has changed since. */
const CHANGED_IN_72: readonly string[] = [];

const WORDS = [
  "a",
  "b",
  "k1",
  "k2",
  "cache:1",
  "1",
  "0",
  "2",
  "STORE",
  "GET",
  "LIMIT",
  "COUNT",
  "STREAMS",
  "BY",
  "u8",
  "#0",
];
const PATTERNS = ["*", "a", "k?", "k1", "cache:*", "[ab]", "", "1*", "\\*"];

describe("ACL", () => {
  let redis: ChildServer;
  let subject: ChildServer;
  let theirs: RawClient;
  let ours: RawClient;
  /** Commands and subcommands that both know, with their arity. */
  let commands: { readonly words: readonly string[]; readonly arity: number }[] = [];
  let categories: string[] = [];

  before(async () => {
    [redis, subject] = await Promise.all([startRedis(), startSubject()]);
    [theirs, ours] = await Promise.all([redis.connect(), subject.connect()]);
    const collect = async (client: RawClient): Promise<Map<string, number>> => {
      const found = new Map<string, number>();
      const add = (entries: Plain[][]): void => {
        for (const entry of entries) {
          if ((entry[9] as Plain[]).length > 0) add(entry[9] as Plain[][]);
          else found.set(entry[0] as string, entry[1] as number);
        }
      };
      add((await client.ask("COMMAND")) as Plain[][]);
      return found;
    };
    const [real, own] = await Promise.all([collect(theirs), collect(ours)]);
    commands = [...own]
      .filter(([name, arity]) => real.get(name) === arity && !CHANGED_IN_72.includes(name))
      .map(([name, arity]) => ({ words: name.split("|"), arity }));
    categories = (await theirs.ask("ACL", "CAT")) as string[];
  });

  after(async () => {
    theirs?.close();
    ours?.close();
    await Promise.all([redis?.stop(), subject?.stop()]);
  });

  async function both(...args: string[]): Promise<[own: string, real: string]> {
    const [own, real] = await Promise.all([ours.call(...args), theirs.call(...args)]);
    return [asIn70(own?.toString("latin1") ?? "(closed)"), asIn70(real?.toString("latin1") ?? "(closed)")];
  }

  async function equal(...args: string[]): Promise<string> {
    const [own, real] = await both(...args);
    assert.equal(own, real, args.join(" "));
    return own;
  }

  function drawSelectorRule(random: SeededRandom): string {
    const command = (): string => random.pick(commands).words.join("|");
    switch (random.below(12)) {
      case 0:
      case 1:
        return `+${command()}`;
      case 2:
        return `-${command()}`;
      case 3:
      case 4:
        return `+@${random.pick(categories)}`;
      case 5:
        return `-@${random.pick(categories)}`;
      case 6:
        return `~${random.pick(PATTERNS)}`;
      case 7:
        return `%${random.pick(["R", "W", "RW", "r", "WR"])}~${random.pick(PATTERNS)}`;
      case 8:
        return `&${random.pick(PATTERNS)}`;
      case 9:
        return random.pick(["+select|0", "+select|1", "+get|a", "+set|k1"]);
      case 10:
        return random.pick(["+@all", "-@all", "allcommands", "nocommands", "+@ALL"]);
      default:
        return random.pick(["allkeys", "resetkeys", "allchannels", "resetchannels"]);
    }
  }

  function drawRule(random: SeededRandom): string {
    if (random.chance(0.75)) return drawSelectorRule(random);
    switch (random.below(6)) {
      case 0: {
        const rules = Array.from({ length: random.below(4) }, () => drawSelectorRule(random));
        return `(${rules.join(" ")})`;
      }
      case 1:
        return random.pick(["on", "off", "ON", "nopass", "resetpass", "clearselectors"]);
      case 2:
        return random.pick([">pass", "<pass", ">other", "<other", "#ab", "!ab"]);
      case 3:
        return random.pick(["+nosuch", "-nosuch", "+@nosuch", "+config|nosuch", "+config|get|a", "+get|", "-select|0"]);
      case 4:
        return random.pick([
          "%",
          "%~a",
          "%R",
          "%RX~a",
          "~a b",
          "&a b",
          "(",
          ")",
          "()",
          "(on)",
          "what",
          "",
          " ",
          "+",
          "-",
          "+@",
        ]);
      default:
        return random.pick(["reset", "clearselectors", "resetkeys"]);
    }
  }

  function drawRequest(random: SeededRandom, words: readonly string[], arity: number): string[] {
    const count = Math.abs(arity) + (arity < 0 ? random.below(5) : 0);
    const request = [...words];
    while (request.length < count) request.push(random.pick(WORDS));
    return request;
  }

  test("rules are taken or refused alike, and allow the same", { timeout: 240_000 }, async (context) => {
    const seed = freshSeed();
    context.diagnostic(`seed ${seed}`);
    const random = new SeededRandom(seed);
    assert.ok(commands.length > 200, `only ${commands.length} commands`);
    let allowedCount = 0;
    let deniedCount = 0;
    for (let round = 0; round < 30; round++) {
      await equal("ACL", "DELUSER", "drawn");
      const given: string[] = [];
      for (let step = 0; step < 14; step++) {
        const rule = drawRule(random);
        given.push(rule);
        await equal("ACL", "SETUSER", "drawn", rule);
      }
      const shown = await described("drawn");
      assert.deepEqual(shown[0], shown[1], given.join(" | "));
      const calls = commands.map(({ words, arity }) => drawRequest(random, words, arity));
      const dry = calls.map((request) => ["ACL", "DRYRUN", "drawn", ...request]);
      const [own, real] = await Promise.all([ours.pipeline(dry), theirs.pipeline(dry)]);
      const keys = await ours.pipeline(calls.map((request) => ["COMMAND", "GETKEYS", ...request]));
      const refused = new Set(
        calls.filter((_, index) => keys[index]!.toString().match(/^-ERR Invalid arguments|^\*0\r/) !== null),
      );
      for (const [index, request] of calls.entries()) {
        const left = asIn70(own[index]!.toString("latin1"));
        const right = asIn70(real[index]!.toString("latin1"));
        const strip = (text: string): string => text.replace(/^\$\d+\r\n/, "");
        // Of a request that makes no sense, 7.0 looks at no key, although PFMERGE with one word is none such.
        if (right === "+OK\r\n" && refused.has(request) && left.includes("to access the")) continue;
        assert.equal(strip(left), strip(right), `${given.join(" | ")}  ─►  ${request.join(" ")}`);
        if (left === "+OK\r\n") allowedCount++;
        else deniedCount++;
      }
    }
    await equal("ACL", "DELUSER", "drawn");
    assert.ok(allowedCount > 300 && deniedCount > 300, `${allowedCount} allowed, ${deniedCount} denied`);
  });

  /** GETUSER of both but for the order of commands' rules, which 7.2 keeps and 7.0 makes up. */
  async function described(name: string): Promise<[Plain, Plain]> {
    const read = async (client: RawClient): Promise<Plain> => {
      const fields = (await client.ask("ACL", "GETUSER", name)) as Plain[];
      fields[1] = (fields[1] as string[]).filter((flag) => !flag.endsWith("sanitize-payload"));
      fields[5] = "";
      for (const selector of fields[11] as Plain[][]) selector[1] = "";
      return fields;
    };
    return [await read(ours), await read(theirs)];
  }

  test("what users are told of themselves has the real server's form in both protocols", async () => {
    for (const client of [ours, theirs]) {
      await client.call(
        "ACL",
        "SETUSER",
        "shown",
        "on",
        ">x",
        "+get",
        "~a",
        "%R~b",
        "&c",
        "(+set ~d)",
        "()",
        "(allkeys)",
      );
    }
    for (const protocol of ["2", "3"]) {
      await Promise.all([ours.call("HELLO", protocol), theirs.call("HELLO", protocol)]);
      const [own, real] = await both("ACL", "GETUSER", "shown");
      const counted = (text: string): string => text.replace(/[*~]\d\r\n\$2\r\non\r\n/, "");
      assert.equal(counted(own), counted(real));
      await equal("ACL", "GETUSER", "nobody");
      await equal("ACL", "CAT");
    }
    await Promise.all([ours.call("HELLO", "2"), theirs.call("HELLO", "2")]);
    await equal("ACL", "DELUSER", "shown", "shown");
  });

  test("subcommands answer, and refuse their arguments, as the real server's", async () => {
    for (const line of [
      "ACL",
      "ACL HELP",
      "ACL NOSUCH",
      "ACL CAT nosuch",
      "ACL CAT get a",
      "ACL WHOAMI",
      "ACL WHOAMI x",
      "ACL USERS",
      "ACL USERS x",
      "ACL LIST",
      "ACL GENPASS 0",
      "ACL GENPASS -1",
      "ACL GENPASS 4097",
      "ACL GENPASS x",
      "ACL GENPASS 1 2",
      "ACL LOAD",
      "ACL SAVE",
      "ACL LOG RESET",
      "ACL LOG",
      "ACL LOG x",
      "ACL LOG -1",
      "ACL LOG 1 2",
      "ACL DELUSER default",
      "ACL DELUSER nobody",
      "ACL SETUSER x (+get ~a) (+set ~b",
      "ACL SETUSER x ( +get ~a )",
      "ACL SETUSER x ~* ~a",
      "ACL SETUSER x resetkeys &* &a",
      "ACL DRYRUN nobody get a",
      "ACL DRYRUN x nosuch a",
      "ACL DRYRUN x get",
      "ACL DRYRUN x GET b",
      "ACL DRYRUN x GET a",
      "ACL DRYRUN x config",
      "ACL DRYRUN x config nosuch",
      "ACL DRYRUN x config GET a",
      "ACL DRYRUN x auth a",
      "ACL DRYRUN x",
      "ACL DELUSER x nobody",
    ]) {
      const [own, real] = await both(...line.split(" "));
      const strip = (text: string): string => text.replace(/^\$\d+\r\n/, "").replace(/\$\d+\r\nuser/, "user");
      assert.equal(strip(own), strip(real), line);
    }
    for (const [bits, digits] of [
      ["", 64],
      ["1", 1],
      ["5", 2],
      ["4096", 1024],
    ] as const) {
      const reply = (await ours.ask("ACL", "GENPASS", ...(bits === "" ? [] : [bits]))) as string;
      assert.match(reply, new RegExp(`^[0-9a-f]{${digits}}$`));
    }
  });

  test("a category lists the same commands, as far as both know them", async () => {
    const known = new Set(commands.map(({ words }) => words.join("|")));
    for (const category of categories) {
      const [own, real] = await Promise.all([ours.ask("ACL", "CAT", category), theirs.ask("ACL", "CAT", category)]);
      const listed = (names: unknown): string[] => (names as string[]).filter((name) => known.has(name)).sort();
      assert.deepEqual(listed(own), listed(real), category);
    }
  });

  test("COMMAND GETKEYS and GETKEYSANDFLAGS find the same keys in requests of every command", async (context) => {
    const seed = freshSeed();
    context.diagnostic(`seed ${seed}`);
    const random = new SeededRandom(seed);
    for (let round = 0; round < 12; round++) {
      const name = round % 2 === 0 ? "GETKEYS" : "GETKEYSANDFLAGS";
      // 7.0 wants at least two words behind GETKEYS, 7.2 one.
      const requests = commands
        .map(({ words, arity }) => ["COMMAND", name, ...drawRequest(random, words, arity)])
        .filter((request) => request.length >= 4);
      const [own, real] = await Promise.all([ours.pipeline(requests), theirs.pipeline(requests)]);
      for (const [index, request] of requests.entries()) {
        assert.equal(own[index]!.toString("latin1"), real[index]!.toString("latin1"), request.join(" "));
      }
    }
  });

  /** Both servers asked the same by a client each, which ends afterwards. */
  async function converse(lines: readonly string[]): Promise<void> {
    const [own, real] = await Promise.all([subject.connect(), redis.connect()]);
    for (const line of lines) {
      const words = line.split(" ");
      const [left, right] = await Promise.all([own.call(...words), real.call(...words)]);
      assert.equal(asIn70(left?.toString("latin1") ?? "(closed)"), right?.toString("latin1") ?? "(closed)", line);
    }
    own.close();
    real.close();
  }

  test("a client with limits is refused what the real server refuses, with its words", async () => {
    for (const client of [ours, theirs]) {
      await client.call("ACL", "SETUSER", "lim", "on", "nopass", "~a*", "%R~r*", "%W~w*", "&ch*", "+@all", "-incr");
    }
    await converse([
      "AUTH lim x",
      "SET a 1",
      "GET r",
      "GET w",
      "GET x",
      "SET r 1",
      "SET r 1 GET",
      "SET w 1",
      "EXISTS x",
      "TYPE w",
      "MGET a x",
      "PUBLISH ch a",
      "PUBLISH x a",
      "INCR a",
      "INCR x",
      "INCR",
      "NOSUCH",
      "ACL WHOAMI",
      "SORT al BY nosort",
      "SORT al BY nosort GET #",
      "SORT al GET x*",
      "SORT al BY x*",
      "SORT al BY x",
      "SORT al STORE r",
      "MULTI",
      "GET x",
      "SET a 1",
      "EXEC",
      "MULTI",
      "SET a 1",
      "GET a",
      "EXEC",
      "SUBSCRIBE x",
      "PSUBSCRIBE ch?",
      "SUBSCRIBE ch1 x",
      "XREAD STREAMS s 0",
      "XREAD COUNT 1 STREAMS r1 a1 0 0",
      "BITFIELD r GET u8 0",
      "BITFIELD r SET u8 0 1",
      "PSUBSCRIBE ch*",
    ]);
    await equal("ACL", "DELUSER", "lim");
  });

  test("rights that are taken between MULTI and EXEC are gone in EXEC", async () => {
    for (const client of [ours, theirs]) await client.call("ACL", "SETUSER", "m", "on", "nopass", "+@all", "~*", "&*");
    await converse([
      "AUTH m x",
      "SET a 1",
      "MULTI",
      "SET a 1",
      "ACL SETUSER m -get resetkeys ~b resetchannels",
      "GET a",
      "SET a 2",
      "PUBLISH c x",
      "EXEC",
      "MULTI",
      "ACL SETUSER m -exec",
      "EXEC",
      "MULTI",
      "GET b",
      "DISCARD",
    ]);
    await equal("ACL", "DELUSER", "m");
  });

  test("users that are switched off, changed or deleted while they are connected", async () => {
    await Promise.all(
      [ours, theirs].map((client) => client.call("ACL", "SETUSER", "u", "on", ">p", "+@all", "~*", "&*")),
    );
    await converse([
      "AUTH u wrong",
      "AUTH nobody p",
      "AUTH u p",
      "ACL WHOAMI",
      "ACL SETUSER u off",
      "GET a",
      "AUTH u p",
      "ACL WHOAMI",
      "ACL SETUSER u on <p >q",
      "AUTH u p",
      "AUTH u q",
      "HELLO 2 AUTH u p",
      "CLIENT KILL USER nosuch",
      "ACL DELUSER u",
      "GET a",
    ]);
  });

  test("who loses a channel that it listens to is closed, who keeps it is not", async () => {
    for (const [rules, change] of [
      [["&ch*"], ["resetchannels", "&ch*", "&more"]],
      [["&ch*"], ["resetchannels", "&other"]],
      [["&*"], ["resetchannels", "&ch1"]],
      [["&*"], ["resetchannels", "&x"]],
      [["&ch1"], ["allchannels"]],
      [
        ["&ch1", "(+@all &ch1)"],
        ["resetchannels", "clearselectors", "(&ch1)"],
      ],
    ] as const) {
      const closings: boolean[] = [];
      for (const [server, admin] of [
        [subject, ours],
        [redis, theirs],
      ] as const) {
        await admin.ask("ACL", "SETUSER", "s", "reset", "on", "nopass", "+@all", ...rules);
        const client = await server.connect();
        await client.ask("AUTH", "s", "x");
        await client.ask("SUBSCRIBE", "ch1");
        await admin.ask("ACL", "SETUSER", "s", ...change);
        closings.push((await client.call("PING")) === undefined);
        client.close();
        await admin.ask("ACL", "DELUSER", "s");
      }
      assert.equal(closings[0], closings[1], `${rules.join(" ")} ─► ${change.join(" ")}`);
    }
  });

  test("ACL LOG counts and groups refusals as the real server does", async () => {
    await Promise.all(
      [ours, theirs].map((client) => client.call("ACL", "SETUSER", "l", "on", ">p", "~a", "+@all", "-del")),
    );
    await equal("ACL", "LOG", "RESET");
    await converse([
      "AUTH l p",
      "GET x",
      "GET x",
      "GET y",
      "DEL a",
      "PUBLISH c 1",
      "GET x",
      "MULTI",
      "GET x",
      "DEL b",
      "DISCARD",
      "AUTH l bad",
      "HELLO 3 AUTH nobody p",
      "hello 3 auth nobody p",
      "CONFIG GET x",
    ]);
    const shape = async (client: RawClient): Promise<unknown> =>
      ((await client.ask("ACL", "LOG")) as Plain[][]).map((entry) => [
        ...entry.slice(0, 10),
        ...String(entry[13])
          .split(" ")
          .filter((field) => /^(?:cmd|user|db|flags|name)=/.test(field)),
      ]);
    const log = await shape(ours);
    assert.deepEqual(log, await shape(theirs));
    assert.equal((log as unknown[]).length, 9);
    const [newest] = (await ours.ask("ACL", "LOG", 1)) as Plain[][];
    assert.deepEqual(
      newest!.filter((_, index) => index % 2 === 0),
      [
        "count",
        "reason",
        "context",
        "object",
        "username",
        "age-seconds",
        "client-info",
        "entry-id",
        "timestamp-created",
        "timestamp-last-updated",
      ],
    );
    await equal("ACL", "DELUSER", "l");
  });
});
