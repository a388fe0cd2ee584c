/** Client-side caching: what each of several clients hears, beside the real server. */
import type { RawClient } from "../support/raw-client.ts";
import { playStories, type Stage } from "./stage.ts";

/** `client` speaks RESP3 and tracks. */
async function tracks(stage: Stage, client: RawClient, ...options: string[]): Promise<void> {
  await client.ask("HELLO", "3");
  await stage.say(client, "CLIENT", "TRACKING", "ON", ...options);
}

/** What everybody has heard, in the order of their names. */
async function allHear(stage: Stage): Promise<void> {
  for (const client of [stage.alice, stage.bob, stage.carol]) await stage.hear(client);
}

playStories("client-side caching", {
  "a key that was read is told once": async (stage) => {
    const { alice, bob } = stage;
    await tracks(stage, alice);
    await stage.say(alice, "GET", "k");
    await stage.say(bob, "SET", "k", "1");
    await stage.hear(alice);
    await stage.say(bob, "SET", "k", "2");
    await stage.hear(alice);
    await stage.say(alice, "GET", "k");
    await stage.say(bob, "APPEND", "k", "2");
    await stage.hear(alice);
  },

  "every read command is remembered with its keys, no other is": async (stage) => {
    const { alice, bob, boss } = stage;
    await tracks(stage, alice);
    const commands = [
      "MGET a1 a2",
      "STRLEN b1",
      "GETRANGE c1 0 1",
      "EXISTS d1 d2",
      "TTL e1",
      "TYPE f1",
      "OBJECT ENCODING g1",
      "HGETALL h1",
      "LRANGE i1 0 1",
      "SINTER j1 j2",
      "ZRANGE k1 0 1",
      "ZUNION 2 l1 l2",
      "XREAD COUNT 1 STREAMS m1 m2 0 0",
      "XRANGE n1 - +",
      "BITCOUNT o1",
      "PFCOUNT p1 p2",
      "GEOPOS q1 m",
      "SORT_RO r1",
      "LCS s1 s2",
      "DUMP t1",
      "TOUCH u1",
      "MEMORY USAGE v1",
      "SINTERCARD 2 w1 w2",
      "XINFO STREAM x1",
      "ZDIFF 1 y1",
      "SET z1 v",
      "GETSET z2 v",
      "SORT z3",
      "INCR z4",
      "WATCH z5",
      "DBSIZE",
      "BITFIELD_RO z6 GET u8 0",
      "BITFIELD z7 GET u8 0",
      "GEORADIUS_RO z8 1 1 1 m",
      "LPOS za v",
      "SUBSCRIBE zb",
      "PUBSUB NUMSUB zc",
      "EXPIRETIME zd",
      "SSUBSCRIBE ze",
    ];
    await stage.order(alice, ...commands);
    const info = String(await boss.ask("INFO", "stats"));
    stage.told.push(...(info.match(/tracking_total_\w+:\d+/g) ?? []));
    await stage.say(bob, "FLUSHALL");
    await stage.hear(alice);
  },

  "one's own changes come behind the reply": async (stage) => {
    const { alice } = stage;
    await tracks(stage, alice);
    await stage.order(alice, "GET a", "SET a 1", "GET a", "MGET a b", "MSET a 1 b 2", "PING", "GET a", "DEL a b");
    await stage.order(alice, "GET a", "GET b", "MULTI", "SET a 1", "GET b", "SET b 2", "GET a", "EXEC", "SET a 2");
  },

  "NOLOOP leaves out one's own changes only": async (stage) => {
    const { alice, bob } = stage;
    await tracks(stage, alice, "NOLOOP");
    await tracks(stage, bob);
    for (const client of [alice, bob]) await stage.say(client, "GET", "k");
    await stage.say(alice, "SET", "k", "1");
    await allHear(stage);
    for (const client of [alice, bob]) await stage.say(client, "GET", "k");
    await stage.say(bob, "SET", "k", "1");
    await allHear(stage);
  },

  "OPTIN, OPTOUT and CLIENT CACHING": async (stage) => {
    const { alice, bob, carol } = stage;
    await tracks(stage, alice, "OPTIN");
    await tracks(stage, bob, "OPTOUT");
    const reads = ["CLIENT GETNAME", "GET a", "GET b", "MULTI", "GET c", "GET d", "EXEC", "GET e"];
    await stage.order(alice, "GET x", "CLIENT CACHING YES", ...reads);
    await stage.order(alice, "CLIENT CACHING YES", "MULTI", "GET f", "GET g", "EXEC", "GET h");
    await stage.order(bob, "GET x", "CLIENT CACHING NO", ...reads);
    await stage.order(alice, "CLIENT CACHING YES", "CLIENT TRACKINGINFO", "NOSUCH", "CLIENT TRACKINGINFO");
    await stage.order(carol, "MSET a 1 b 1 c 1 d 1 e 1 f 1 g 1 h 1 x 1");
    await allHear(stage);
  },

  "redirection to a subscriber in RESP2 and to RESP3": async (stage) => {
    const { alice, bob, carol } = stage;
    const id = String(await bob.ask("CLIENT", "ID"));
    await stage.say(bob, "SUBSCRIBE", "__redis__:invalidate");
    await alice.ask("CLIENT", "TRACKING", "ON", "REDIRECT", id);
    await stage.order(alice, "GET a", "SET a 1", "GET a", "MGET a b");
    await stage.say(carol, "MSET", "a", "1", "b", "2");
    await stage.hear(bob);
    await stage.say(carol, "FLUSHALL");
    await stage.hear(bob);
    await stage.say(alice, "GET", "a");
    await stage.order(bob, "UNSUBSCRIBE", "PING");
    await stage.say(carol, "SET", "a", "2");
    await stage.hear(bob);
    await stage.say(alice, "GET", "a");
    await stage.order(bob, "HELLO 3");
    stage.told.pop();
    await stage.say(carol, "SET", "a", "2");
    await stage.hear(bob);
    stage.told.push(String((await alice.ask("CLIENT", "GETREDIR")) === Number(id)));
  },

  "a subscriber that redirects to itself": async (stage) => {
    const { alice } = stage;
    const id = String(await alice.ask("CLIENT", "ID"));
    await alice.ask("CLIENT", "TRACKING", "ON", "REDIRECT", id);
    await stage.order(alice, "GET a", "GET b", "SUBSCRIBE c", "PING");
    await stage.say(stage.bob, "MSET", "a", "1", "b", "1");
    await stage.hear(alice);
  },

  "a redirection that is gone": async (stage) => {
    const { alice, bob, boss, carol } = stage;
    const id = String(await bob.ask("CLIENT", "ID"));
    await tracks(stage, alice, "REDIRECT", id);
    await alice.ask("GET", "k");
    await boss.ask("CLIENT", "KILL", "ID", id);
    const aliceId = await alice.ask("CLIENT", "ID");
    stage.told.push(await stage.field(aliceId, "flags"));
    await stage.say(carol, "SET", "k", "1");
    alice.write("*1\r\n$4\r\nPING\r\n");
    stage.told.push(String(await alice.nextReply()));
    stage.told.push(alice.pushes.map((push) => push.toString().replace(id, "ID")).join());
    stage.told.push(await stage.field(aliceId, "flags"));
    alice.pushes.length = 0;
    await stage.say(alice, "CLIENT", "TRACKING", "ON");
    stage.told.push(await stage.field(aliceId, "flags"));
  },

  "broadcast mode, prefixes and NOLOOP": async (stage) => {
    const { alice, bob, boss, carol } = stage;
    await tracks(stage, alice, "BCAST", "PREFIX", "user:", "PREFIX", "object:");
    await tracks(stage, bob, "BCAST", "NOLOOP");
    await stage.order(
      carol,
      "MULTI",
      "SET user:2 1",
      "SET object:1 1",
      "SET other 1",
      "SET user:1 1",
      "INCR user:2",
      "EXEC",
    );
    await allHear(stage);
    await stage.order(bob, "MULTI", "SET user:1 2", "SET x 2", "EXEC");
    await allHear(stage);
    await stage.order(alice, "MULTI", "SET user:1 2", "SET x 2", "EXEC", "PING");
    await allHear(stage);
    const info = String(await boss.ask("INFO"));
    stage.told.push(...(info.match(/tracking_\w+:\d+/g) ?? []));
    stage.told.push(await stage.field(await alice.ask("CLIENT", "ID"), "flags"));
    await stage.say(carol, "FLUSHDB");
    await allHear(stage);
  },

  "FLUSHALL, FLUSHDB, SWAPDB and DEBUG RELOAD": async (stage) => {
    const { alice, bob, carol } = stage;
    await tracks(stage, alice);
    await tracks(stage, bob, "NOLOOP");
    await stage.order(
      alice,
      "GET a",
      "FLUSHALL",
      "FLUSHDB ASYNC",
      "MULTI",
      "FLUSHDB",
      "SELECT 1",
      "FLUSHDB",
      "EXEC",
      "SELECT 0",
    );
    await stage.order(bob, "GET a", "FLUSHALL", "GET a", "SWAPDB 0 1", "SWAPDB 0 1");
    await allHear(stage);
    await stage.order(carol, "SET a 1", "DEBUG RELOAD");
    await allHear(stage);
  },

  "keys that expire or are evicted": async (stage) => {
    const { alice, bob, boss } = stage;
    await tracks(stage, alice);
    // In one write: however busy the machine is, the key is there when it is read.
    await stage.order(alice, "SET k 1 PX 500", "EXISTS k j");
    await boss.ask("DEBUG", "SLEEP", "0.6");
    await stage.say(bob, "GET", "k");
    await stage.say(bob, "SET", "j", "1");
    await stage.hear(alice);
    await stage.say(alice, "GET", "j");
    await stage.say(bob, "PEXPIREAT", "j", "1");
    await stage.hear(alice);
  },

  "the limit of keys": async (stage) => {
    const { alice, boss } = stage;
    await boss.ask("CONFIG", "SET", "tracking-table-max-keys", "1");
    await tracks(stage, alice);
    await stage.say(alice, "GET", "a");
    await stage.say(alice, "GET", "a");
    await stage.say(alice, "MGET", "a");
    await boss.ask("PING");
    await stage.hear(alice);
    const info = String(await boss.ask("INFO", "stats"));
    stage.told.push(...(info.match(/tracking_total_\w+:\d+/g) ?? []));
    await boss.ask("CONFIG", "SET", "tracking-table-max-keys", "1000000");
  },

  "CLIENT REPLY does not silence messages": async (stage) => {
    const { alice, bob } = stage;
    await tracks(stage, alice);
    await stage.order(alice, "GET a", "CLIENT REPLY OFF", "SET a 1", "GET a", "CLIENT REPLY ON");
    await stage.order(alice, "GET a", "CLIENT REPLY SKIP", "SET a 1", "PING");
    await stage.say(bob, "SET", "a", "1");
    await stage.hear(alice);
  },

  "off and on again, RESET, and other modes": async (stage) => {
    const { alice, bob } = stage;
    await tracks(stage, alice);
    await stage.order(alice, "GET a", "CLIENT TRACKING OFF", "CLIENT TRACKING ON");
    await stage.say(bob, "SET", "a", "1");
    await stage.hear(alice);
    await stage.order(
      alice,
      "GET a",
      "CLIENT TRACKING OFF",
      "CLIENT TRACKING ON BCAST PREFIX b",
      "CLIENT TRACKINGINFO",
    );
    await stage.say(bob, "MSET", "a", "1", "b", "1");
    await stage.hear(alice);
    await stage.order(
      alice,
      "CLIENT TRACKING ON BCAST PREFIX b",
      "CLIENT TRACKING ON",
      "CLIENT TRACKING ON BCAST PREFIX ca",
    );
    await stage.order(alice, "CLIENT TRACKINGINFO", "RESET", "CLIENT TRACKINGINFO", "CLIENT GETREDIR");
    await stage.order(
      bob,
      "SET b 1",
      "CLIENT TRACKING maybe",
      "CLIENT TRACKING ON OPTIN OPTOUT",
      "CLIENT TRACKING ON REDIRECT 999999",
    );
    await stage.order(bob, "CLIENT TRACKING ON PREFIX a", "CLIENT TRACKING ON BCAST OPTIN", "CLIENT CACHING YES");
    await stage.order(
      bob,
      "CLIENT TRACKING ON BCAST PREFIX ab PREFIX a",
      "CLIENT TRACKING ON OPTIN",
      "CLIENT CACHING NO",
    );
    await stage.order(
      bob,
      "CLIENT TRACKING ON OPTOUT",
      "CLIENT TRACKING ON BCAST",
      "CLIENT CACHING x",
      "CLIENT TRACKING OFF x",
    );
    await stage.hear(alice);
  },
});
