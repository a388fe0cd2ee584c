/**
 * Stories of transactions: what is queued, what makes EXEC do nothing, and who is held meanwhile, as with the real server.
 *
 *  I1  A key that is over from the start is made with PXAT 1, and active expiry is off: nothing depends on when a test runs.
 */
import { waitUntil } from "../support/wait.ts";
import { playStories, type Stage, type Stories } from "./stage.ts";

/** Commands of one client, one by one. */
async function say(stage: Stage, who: "boss" | "alice" | "bob", ...lines: string[]): Promise<void> {
  for (const line of lines) await stage.say(stage[who], ...line.split(" "));
}

/** alice watches keys, bob does something, alice tries to execute. */
async function watched(stage: Stage, keys: string, ...bobs: string[]): Promise<void> {
  await say(stage, "alice", `WATCH ${keys}`, "MULTI", "PING");
  await say(stage, "bob", ...bobs);
  await say(stage, "alice", "EXEC");
}

const stories: Stories = {
  "what is queued runs as a whole": async (stage) => {
    await say(stage, "alice", "MULTI", "SET k 1", "INCR k", "APPEND k text", "INCR k", "GET k");
    await say(stage, "bob", "GET k");
    await say(
      stage,
      "alice",
      "EXEC",
      "GET k",
      "EXEC",
      "DISCARD",
      "MULTI",
      "EXEC",
      "MULTI",
      "SET k 2",
      "DISCARD",
      "GET k",
    );
  },
  "the database chosen within a transaction stays": async (stage) => {
    await say(stage, "alice", "MULTI", "SELECT 3", "SET k 3", "EXEC", "GET k", "SELECT 0", "GET k");
  },
  "what is refused while queueing ends the transaction": async (stage) => {
    for (const bad of [
      "NOSUCH a",
      "GET",
      "GET a b",
      "CLIENT NOSUCH",
      "SAVE",
      "SHUTDOWN",
      "DISCARD x",
      "WATCH",
      "UNWATCH x",
    ]) {
      await say(stage, "alice", "MULTI", "SET k 1", bad, "SET k 2", "EXEC", "EXISTS k");
    }
    await say(stage, "alice", "EXEC x", "MULTI", "EXEC x", "EXEC", "MULTI", "MULTI", "WATCH k", "PING", "EXEC");
  },
  "commands about the connection within a transaction": async (stage) => {
    const { alice } = stage;
    await say(stage, "alice", "MULTI", "CLIENT SETNAME me", "CLIENT GETNAME", "ECHO a", "PING b", "UNWATCH", "EXEC");
    await say(stage, "alice", "MULTI", "SET k 1", "RESET", "EXEC", "GET k");
    const id = await alice.ask("CLIENT", "ID");
    await say(stage, "alice", "WATCH k", "MULTI", "GET k", "GET k");
    for (const name of ["flags", "multi", "cmd", "db"]) stage.told.push(await stage.field(id, name));
    await say(stage, "bob", "SET k 2");
    stage.told.push(await stage.field(id, "flags"));
    await say(stage, "alice", "GET k");
    stage.told.push(await stage.field(id, "multi"));
    await say(stage, "alice", "EXEC");
    stage.told.push(await stage.field(id, "flags"), await stage.field(id, "multi"));
  },
  "RESP3 within a transaction and as its null": async (stage) => {
    await stage.alice.ask("HELLO", 3);
    await watched(stage, "k", "SET k 1");
    await watched(stage, "k", "GET k");
    await say(stage, "alice", "MULTI", "GET nokey", "CONFIG GET maxclients", "INCRBYFLOAT f 1.5", "EXEC");
  },
  "replies within a transaction that nobody wants to hear": async (stage) => {
    const { alice } = stage;
    await stage.order(alice, "MULTI", "PING", "CLIENT REPLY OFF", "PING", "EXEC", "PING", "CLIENT REPLY ON");
    await stage.order(alice, "MULTI", "CLIENT REPLY SKIP", "PING", "EXEC", "ECHO a", "PING");
    await stage.order(alice, "CLIENT REPLY SKIP", "MULTI", "PING", "CLIENT REPLY SKIP", "EXEC", "PING", "PING");
    await stage.order(alice, "CLIENT REPLY OFF", "MULTI", "PING", "CLIENT REPLY ON", "ECHO a", "EXEC", "PING");
  },
  "every command that changes a key tells those who watch it": async (stage) => {
    const prepared = "MSET k 1 there 1";
    for (const change of [
      "SET k 1",
      "SETNX k 1",
      "SETNX none 1",
      "MSETNX none 1 k 1",
      "APPEND k x",
      "SETRANGE k 0 x",
      "INCRBY k 0",
      "INCRBYFLOAT k 0",
      "GETSET k 1",
      "GETDEL k",
      "GETEX k",
      "GETEX k EX 100",
      "GETEX k PERSIST",
      "EXPIRE k 100",
      "EXPIRE k 100 XX",
      "EXPIRE k -1",
      "PERSIST k",
      "DEL none k",
      "UNLINK k",
      "RENAME k other",
      "RENAME there k",
      "RENAMENX there k",
      "COPY there k",
      "COPY there k REPLACE",
      "COPY k there REPLACE",
      "MOVE k 1",
      "TOUCH k",
      "OBJECT ENCODING k",
      "FLUSHDB",
      "SORT none STORE k",
      "SETBIT k 1 1",
      "BITOP NOT k there",
      "BITOP NOT k none",
    ]) {
      await say(stage, "boss", "FLUSHALL", prepared);
      stage.told.push(change);
      await watched(stage, "k", change);
    }
  },
  "watched keys whose time is over": async (stage) => {
    await stage.boss.ask("DEBUG", "SET-ACTIVE-EXPIRE", 0);
    for (const then of [[], ["GET k"], ["DEL k"], ["SET k 2"], ["GET k", "SET k 2"], ["FLUSHALL"], ["SWAPDB 0 1"]]) {
      await say(stage, "boss", "SET k 1 PXAT 1");
      await watched(stage, "k", ...then);
      await say(stage, "boss", "FLUSHALL");
    }
    for (const then of [[], ["GET k"]]) {
      // In one write: however busy the machine is, the key is there when it is watched.
      const lines = ["SET k 1 PX 200", "WATCH k", "MULTI", "PING"];
      for (const reply of await stage.alice.pipeline(lines.map((line) => line.split(" ")))) stage.tell(reply);
      const [seconds, microseconds] = (await stage.boss.ask("TIME")) as string[];
      const overUs = Number(seconds) * 1e6 + Number(microseconds) + 205_000;
      await waitUntil("the key's time is over", async () => {
        const [nowSeconds, nowMicroseconds] = (await stage.boss.ask("TIME")) as string[];
        return Number(nowSeconds) * 1e6 + Number(nowMicroseconds) > overUs;
      });
      await say(stage, "bob", ...then);
      await say(stage, "alice", "EXEC");
    }
  },
  "whole databases change places": async (stage) => {
    await say(stage, "boss", "SET here 1", "SELECT 1", "SET there 1");
    await watched(stage, "here", "SWAPDB 0 1");
    await watched(stage, "there", "SWAPDB 0 1");
    await watched(stage, "none", "SWAPDB 0 1");
    await watched(stage, "here", "SWAPDB 1 2");
    await watched(stage, "here", "SWAPDB 0 0");
    await watched(stage, "here there", "SELECT 5", "FLUSHDB");
    await watched(stage, "none", "FLUSHALL");
  },
  "a pause of writes holds an EXEC that writes": async (stage) => {
    const { alice } = stage;
    await say(stage, "alice", "MULTI", "SET k 1");
    await say(stage, "bob", "MULTI", "GET k");
    await say(stage, "boss", "CLIENT PAUSE 100000 WRITE");
    const held = alice.call("EXEC");
    await say(stage, "bob", "EXEC");
    const id = (await stage.bob.ask("CLIENT", "ID")) as number;
    await waitUntil("EXEC is held", async () => String(await stage.boss.ask("CLIENT", "LIST")).includes("flags=xb"));
    stage.told.push(await stage.field(id, "flags"));
    await say(stage, "boss", "CLIENT UNPAUSE");
    stage.tell(await held);
  },
  "commands that wait do not wait within a transaction": async (stage) => {
    await say(stage, "alice", "MULTI", "WAIT 1 0", "BLPOP none 0", "BZPOPMIN none 0", "BLMOVE none a LEFT LEFT 0");
    await say(stage, "alice", "BLMPOP 0 1 none LEFT", "BRPOPLPUSH none a 0", "BZMPOP 0 1 none MIN", "EXEC");
  },
  "reading streams does not wait within a transaction": async (stage) => {
    await say(stage, "alice", "MULTI", "XREAD BLOCK 0 STREAMS none $", "PING", "EXEC");
  },
  "who waits for a key is served when the whole transaction is done": async (stage) => {
    const { alice, bob } = stage;
    const waiting = await stage.wait(bob, "BLPOP", "list", 0);
    await say(stage, "alice", "MULTI", "RPUSH list a", "DEL list", "RPUSH list b c", "LLEN list", "EXEC");
    stage.tell(await waiting.reply);
    await stage.say(alice, "LRANGE", "list", 0, -1);
  },
  "calls and errors are counted for the commands": async (stage) => {
    const { boss } = stage;
    await say(stage, "boss", "CONFIG RESETSTAT");
    await say(
      stage,
      "alice",
      "SET k text",
      "MULTI",
      "INCR k",
      "GET",
      "EXEC",
      "MULTI",
      "INCR k",
      "INCR n",
      "EXEC",
      "EXEC",
    );
    const info = `${await boss.ask("INFO", "commandstats")}${await boss.ask("INFO", "errorstats")}`;
    const lines = info.split("\r\n").filter((line) => /^(cmdstat_(set|multi|incr|get|exec)|errorstat)/.test(line));
    stage.told.push(...lines.map((line) => line.replace(/usec=[^,]*,usec_per_call=[^,]*,/, "")).sort());
  },
};

playStories("transactions go as with the real server", stories);
