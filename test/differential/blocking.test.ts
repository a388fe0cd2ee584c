/**
 * Stories of clients that wait for keys: who is served, when, with what, and in which order. The same as with the real
 * server.
 * Left out: who is looked at while a pause holds back whom a transaction would have served. 7.0 serves in spite of the
 * pause; 7.2 runs the command again, and the pause stops it as it stops every other.
 */
import { playStories, type Stories } from "./stage.ts";

const stories: Stories = {
  "BLPOP is served in order, one element each": async (stage) => {
    const { boss, alice, bob, carol } = stage;
    const waits = [];
    for (const client of [alice, bob, carol]) waits.push(await stage.wait(client, "BLPOP", "l", 0));
    await stage.say(boss, "RPUSH", "l", "one", "two");
    stage.tell(await waits[0]!.reply);
    stage.tell(await waits[1]!.reply);
    await stage.say(boss, "LLEN", "l");
    await stage.say(boss, "RPUSH", "l", "three", "four");
    stage.tell(await waits[2]!.reply);
    await stage.say(boss, "LRANGE", "l", 0, -1);
  },
  "several keys: the first of the request that is there": async (stage) => {
    const { boss, alice, bob } = stage;
    const first = await stage.wait(alice, "BLPOP", "a", "b", "a", 0);
    const second = await stage.wait(bob, "BRPOP", "b", "c", 0);
    for (const reply of await boss.pipeline([
      ["MULTI"],
      // The other way round, 7.0 would serve the key that came first, 7.2 runs the request again.
      ["RPUSH", "a", "a1"],
      ["RPUSH", "b", "b1", "b2"],
      ["EXEC"],
      ["LLEN", "a"],
      ["LLEN", "b"],
    ])) {
      stage.tell(reply);
    }
    stage.tell(await first.reply);
    stage.tell(await second.reply);
  },
  "EXEC is over before anybody is served": async (stage) => {
    const { boss, alice, bob } = stage;
    const first = await stage.wait(alice, "BLPOP", "l", 0);
    const second = await stage.wait(bob, "BLPOP", "m", "l", 0);
    for (const reply of await boss.pipeline([
      ["MULTI"],
      ["RPUSH", "l", "x"],
      ["DEL", "l"],
      ["RPUSH", "m", "y"],
      ["LPUSH", "m", "z"],
      ["EXEC"],
      ["LRANGE", "m", 0, -1],
    ])) {
      stage.tell(reply);
    }
    stage.tell(await second.reply);
    await stage.say(boss, "LPUSH", "l", "last");
    stage.tell(await first.reply);
  },
  "BLMOVE wakes who waits for its target": async (stage) => {
    const { boss, alice, bob, carol } = stage;
    const taker = await stage.wait(carol, "BLPOP", "c", 0);
    const second = await stage.wait(bob, "BLMOVE", "b", "c", "LEFT", "RIGHT", 0);
    const first = await stage.wait(alice, "BRPOPLPUSH", "a", "b", 0);
    await stage.say(boss, "RPUSH", "a", "x");
    for (const { reply } of [first, second, taker]) stage.tell(await reply);
    await stage.say(boss, "EXISTS", "a", "b", "c");
  },
  "BLMOVE onto a key of another type says so when it is served, and takes nothing": async (stage) => {
    const { boss, alice, bob } = stage;
    await stage.say(boss, "SET", "target", "string");
    const first = await stage.wait(alice, "BLMOVE", "l", "target", "LEFT", "LEFT", 0);
    const second = await stage.wait(bob, "BLPOP", "l", 0);
    await stage.say(boss, "RPUSH", "l", "x");
    stage.tell(await first.reply);
    stage.tell(await second.reply);
  },
  "a key of another type wakes nobody": async (stage) => {
    const { boss, alice, bob } = stage;
    const first = await stage.wait(alice, "BLPOP", "k", 0);
    const second = await stage.wait(bob, "BZPOPMIN", "k", 0);
    await stage.say(boss, "SADD", "k", "member");
    await stage.say(boss, "DEL", "k");
    await stage.say(boss, "ZADD", "k", "1", "one", "2", "two");
    stage.tell(await second.reply);
    await stage.say(boss, "DEL", "k");
    await stage.say(boss, "RPUSH", "k", "x");
    stage.tell(await first.reply);
  },
  "RENAME, COPY, MOVE, SWAPDB, RESTORE and SORT STORE make keys": async (stage) => {
    const { boss, alice } = stage;
    const serve = async (...commands: string[]): Promise<void> => {
      await boss.ask("RPUSH", "source", "2", "1");
      const { reply } = await stage.wait(alice, "BLPOP", "k", 0);
      for (const words of commands) await stage.say(boss, ...words.split(" "));
      stage.tell(await reply);
      await boss.ask("SELECT", 0);
      await boss.ask("FLUSHALL");
    };
    await serve("RENAME source k");
    await serve("RENAMENX source k");
    await serve("COPY source k");
    await serve("SORT source STORE k");
    await serve("SELECT 1", "RPUSH k one", "MOVE k 0");
    await serve("SELECT 1", "RPUSH k one", "SWAPDB 0 1");
    await serve("SELECT 1", "RPUSH k one", "COPY k k DB 0");
    const dump = (await (async () => {
      await boss.ask("RPUSH", "k", "dumped");
      const raw = await boss.call("DUMP", "k");
      await boss.ask("DEL", "k");
      return raw!.subarray(raw!.indexOf("\r\n") + 2, -2);
    })()) as Buffer;
    const { reply } = await stage.wait(alice, "BLPOP", "k", 0);
    await stage.say(boss, "RESTORE", "k", 0, dump);
    stage.tell(await reply);
  },
  "timeouts answer with nothing, in RESP2 and RESP3, and in MULTI at once": async (stage) => {
    const { alice, carol } = stage;
    await carol.ask("HELLO", 3);
    for (const client of [alice, carol]) {
      for (const words of [
        "BLPOP k 0.01",
        "BRPOP k 0.01",
        "BLMOVE k l LEFT LEFT 0.01",
        "BRPOPLPUSH k l 0.01",
        "BLMPOP 0.01 1 k LEFT",
        "BZPOPMIN k 0.01",
        "BZPOPMAX k 0.01",
        "BZMPOP 0.01 1 k MIN",
        "XREAD BLOCK 10 STREAMS k $",
      ]) {
        await stage.say(client, ...words.split(" "));
        await client.call("MULTI");
        await client.call(...words.split(" "));
        await stage.say(client, "EXEC");
      }
    }
  },
  "CLIENT UNBLOCK, CLIENT KILL and the end of the connection leave the queue": async (stage) => {
    const { boss, alice, bob, carol } = stage;
    const ids = await Promise.all([alice, bob, carol].map((client) => client.ask("CLIENT", "ID")));
    const first = await stage.wait(alice, "BLPOP", "l", 0);
    const second = await stage.wait(bob, "BLPOP", "l", 0);
    const third = await stage.wait(carol, "BLPOP", "l", 0);
    for (const reply of await boss.pipeline([
      ["CLIENT", "UNBLOCK", String(ids[0]), "ERROR"],
      ["CLIENT", "KILL", "ID", String(ids[1])],
      ["RPUSH", "l", "x", "y"],
      ["CLIENT", "UNBLOCK", String(ids[0])],
      ["LLEN", "l"],
    ])) {
      stage.tell(reply);
    }
    for (const { reply } of [first, second, third]) stage.tell(await reply);
    const again = await stage.wait(alice, "BLPOP", "none", 0);
    await stage.say(boss, "CLIENT", "UNBLOCK", String(ids[0]), "TIMEOUT");
    stage.tell(await again.reply);
  },
  "pipelines of both sides keep their order": async (stage) => {
    const { boss, alice } = stage;
    const id = await alice.ask("CLIENT", "ID");
    const replies = alice.pipeline([
      ["PING"],
      ["BLPOP", "l", 0],
      ["PING", "behind"],
      ["BLPOP", "l", 0],
      ["PING", "last"],
    ]);
    await stage.untilHeld(id);
    for (const reply of await boss.pipeline([["PING"], ["RPUSH", "l", "1"], ["PING"]])) stage.tell(reply);
    await stage.untilHeld(id);
    await stage.say(boss, "RPUSH", "l", "2");
    for (const reply of await replies) stage.tell(reply);
  },
  "sorted sets: BZPOPMIN, BZPOPMAX and BZMPOP in order": async (stage) => {
    const { boss, alice, bob, carol } = stage;
    await carol.ask("HELLO", 3);
    const waits = [
      await stage.wait(alice, "BZPOPMAX", "z", 0),
      await stage.wait(bob, "BZMPOP", 0, 2, "y", "z", "MIN", "COUNT", 2),
      await stage.wait(carol, "BZPOPMIN", "z", 0),
    ];
    await stage.say(boss, "ZADD", "z", 1, "a", 2, "b", 3, "c", 4, "d");
    for (const { reply } of waits) stage.tell(await reply);
    await stage.say(boss, "EXISTS", "z");
  },
  "lists: BLMPOP takes several": async (stage) => {
    const { boss, alice, bob } = stage;
    const first = await stage.wait(alice, "BLMPOP", 0, 2, "k", "l", "RIGHT", "COUNT", 2);
    const second = await stage.wait(bob, "BLMPOP", 0, 1, "l", "LEFT");
    await stage.say(boss, "RPUSH", "l", "a", "b", "c", "d");
    stage.tell(await first.reply);
    stage.tell(await second.reply);
    await stage.say(boss, "LRANGE", "l", 0, -1);
  },
  "streams: XREAD hears what comes, all of them": async (stage) => {
    const { boss, alice, bob, carol } = stage;
    await carol.ask("HELLO", 3);
    await stage.say(boss, "XADD", "s", "1-1", "f", "old");
    const waits = [
      await stage.wait(alice, "XREAD", "BLOCK", 0, "STREAMS", "s", "$"),
      await stage.wait(bob, "XREAD", "COUNT", 1, "BLOCK", 0, "STREAMS", "t", "s", "0", "2-0"),
      await stage.wait(carol, "XREAD", "BLOCK", 0, "STREAMS", "s", "t", "$", "$"),
    ];
    await stage.say(boss, "XADD", "s", "1-2", "f", "new");
    stage.tell(await waits[0]!.reply);
    stage.tell(await waits[2]!.reply);
    for (const reply of await boss.pipeline([
      ["MULTI"],
      ["XADD", "s", "2-1", "f", "a"],
      ["XADD", "s", "2-2", "f", "b"],
      ["EXEC"],
    ])) {
      stage.tell(reply);
    }
    stage.tell(await waits[1]!.reply);
  },
  "streams: consumers of a group share what comes": async (stage) => {
    const { boss, alice, bob } = stage;
    await stage.say(boss, "XGROUP", "CREATE", "s", "g", "$", "MKSTREAM");
    const first = await stage.wait(alice, "XREADGROUP", "GROUP", "g", "a", "BLOCK", 0, "STREAMS", "s", ">");
    const second = await stage.wait(bob, "XREADGROUP", "GROUP", "g", "b", "BLOCK", 0, "STREAMS", "s", ">");
    await stage.say(boss, "XADD", "s", "1-1", "f", "v");
    stage.tell(await first.reply);
    await stage.say(boss, "XADD", "s", "1-2", "f", "v");
    stage.tell(await second.reply);
    await stage.say(boss, "XPENDING", "s", "g");
  },
  "a pause holds back whom a transaction would have served": async (stage) => {
    const { boss, alice } = stage;
    const { reply } = await stage.wait(alice, "BLPOP", "l", 0);
    for (const each of await boss.pipeline([
      ["MULTI"],
      ["RPUSH", "l", "x"],
      ["CLIENT", "PAUSE", 100_000, "WRITE"],
      ["EXEC"],
      ["CLIENT", "UNPAUSE"],
    ])) {
      stage.tell(each);
    }
    stage.tell(await reply);
    await stage.say(boss, "EXISTS", "l");
  },
  "keyspace statistics and command statistics of waits": async (stage) => {
    const { boss, alice } = stage;
    await stage.say(boss, "CONFIG", "RESETSTAT");
    await stage.say(alice, "BLPOP", "k", "0.01");
    const { reply } = await stage.wait(alice, "BLPOP", "k", 0);
    await stage.say(boss, "RPUSH", "k", "v");
    stage.tell(await reply);
    const info = String(await boss.ask("INFO", "commandstats"));
    stage.told.push(/cmdstat_blpop:calls=\d+/.exec(info)?.[0] ?? "(none)");
  },
};

playStories("clients that wait for keys are served as by the real server", stories);
