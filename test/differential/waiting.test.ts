/**
 * Stories of several clients: one waits, another looks at it, ends its wait, pauses or kills. The same replies as from the
 * real server.
 *
 *  Left out: CLIENT UNBLOCK of a client that a pause holds, which ends redis-server 7.0.15.
 */
import { playStories, type Stories } from "./stage.ts";

const stories: Stories = {
  "CLIENT UNBLOCK ends a wait, with a timeout's reply or an error": async (stage) => {
    const { boss, alice } = stage;
    const id = Number(await alice.ask("CLIENT", "ID"));
    for (const how of [[], ["TIMEOUT"], ["ERROR"], ["error"]]) {
      const waited = alice.call("WAIT", 1, 0);
      const behind = alice.call("PING");
      await stage.untilHeld(id);
      await stage.say(boss, "CLIENT", "UNBLOCK", id, ...how);
      stage.tell(await waited);
      stage.tell(await behind);
      await stage.say(boss, "CLIENT", "UNBLOCK", id, ...how);
    }
    await stage.say(alice, "WAIT", 1, 20);
    await stage.say(boss, "CLIENT", "UNBLOCK", id, "BAD");
  },
  "a pause of writes holds writers and whoever stands behind": async (stage) => {
    const { boss, alice, bob } = stage;
    const id = Number(await alice.ask("CLIENT", "ID"));
    await stage.say(boss, "CLIENT", "PAUSE", 100_000, "WRITE");
    await stage.say(bob, "GET", "x");
    const replies = alice.pipeline([["GET", "x"], ["SET", "x", "1"], ["GET", "x"], ["NOSUCH"]]);
    await stage.untilHeld(id);
    await stage.say(bob, "GET", "x");
    await stage.say(bob, "SET", "x");
    await stage.say(boss, "CLIENT", "UNPAUSE");
    for (const reply of await replies) stage.tell(reply);
    await stage.say(bob, "GET", "x");
  },
  "a pause of everything ends by itself": async (stage) => {
    const { boss, alice } = stage;
    await stage.say(boss, "CLIENT", "PAUSE", 40);
    for (const reply of await alice.pipeline([["PING"], ["SET", "x", "1"], ["GET", "x"]])) stage.tell(reply);
    await stage.say(boss, "CLIENT", "UNPAUSE");
  },
  "CLIENT KILL ends others, also those that wait, and oneself last": async (stage) => {
    const { boss, alice, bob } = stage;
    const aliceId = Number(await alice.ask("CLIENT", "ID"));
    const bobId = Number(await bob.ask("CLIENT", "ID"));
    const waited = bob.call("WAIT", 1, 0);
    await stage.untilHeld(bobId);
    await stage.say(boss, "CLIENT", "KILL", "ID", bobId);
    stage.tell(await waited);
    await stage.say(boss, "CLIENT", "KILL", "ID", bobId);
    await stage.say(alice, "CLIENT", "KILL", "ID", aliceId);
    await stage.say(alice, "CLIENT", "KILL", "ID", aliceId, "SKIPME", "no");
    stage.tell(await alice.call("PING"));
    const address = (await stage.field(await boss.ask("CLIENT", "ID"), "addr")).slice("addr=".length);
    await stage.say(boss, "CLIENT", "KILL", "ADDR", address);
    await stage.say(boss, "CLIENT", "KILL", address);
    stage.tell(await boss.call("PING"));
  },
  "what a client says of itself is seen by others": async (stage) => {
    const { alice, bob } = stage;
    const id = Number(await alice.ask("CLIENT", "ID"));
    for (const args of [
      ["CLIENT", "SETNAME", "me"],
      ["CLIENT", "NO-EVICT", "on"],
      ["SELECT", 7],
      ["GET", "x"],
    ]) {
      await stage.say(alice, ...args);
    }
    for (const name of ["name", "flags", "db", "cmd", "user", "multi", "sub", "events"]) {
      stage.told.push(await stage.field(id, name));
    }
    await stage.say(alice, "RESET");
    // Its flags are left out: RESET ends NO-EVICT in 7.2, and did not in 7.0.
    for (const name of ["name", "db", "cmd"]) stage.told.push(await stage.field(id, name));
    await stage.say(bob, "CLIENT", "GETNAME");
  },
};

playStories("clients beside each other see the same as with the real server", stories);
