/**
 * Stories of pub/sub between several clients: the same messages, counts and refusals as from the real server.
 * Left out: where a message to oneself stands (7.2 sends it behind the reply, 7.0 before it), and the order in which
 * several channels are left at once (unordered in Redis).
 */
import { playStories, type Stage, type Stories } from "./stage.ts";

/** RESP3 for one of them. */
async function speak3(stage: Stage): Promise<void> {
  await stage.carol.ask("HELLO", 3);
}

const stories: Stories = {
  "channels and patterns, in both protocols": async (stage) => {
    const { boss, alice, carol } = stage;
    await speak3(stage);
    for (const client of [alice, carol]) {
      await stage.order(client, "SUBSCRIBE a");
      await stage.order(client, "PSUBSCRIBE x* [ab");
    }
    for (const channel of ["a", "b", "", "[ab", "x\r\n"]) await stage.say(boss, "PUBLISH", channel, `to ${channel}`);
    for (const client of [alice, carol]) await stage.hear(client);
    for (const client of [alice, carol]) {
      await stage.order(client, "PUNSUBSCRIBE x*", "UNSUBSCRIBE none");
    }
    await stage.say(boss, "PUBLISH", "a", "again");
    await stage.say(boss, "PUBLISH", "[ab", "pattern");
    for (const client of [alice, carol]) {
      await stage.hear(client);
      await stage.order(client, "UNSUBSCRIBE", "PUNSUBSCRIBE", "PUNSUBSCRIBE");
    }
    await stage.say(boss, "PUBLISH", "a", "nobody");
  },
  "shard channels are others": async (stage) => {
    const { boss, alice, carol } = stage;
    await speak3(stage);
    for (const client of [alice, carol]) {
      await stage.order(client, "SSUBSCRIBE a b", "SUBSCRIBE a");
    }
    await stage.say(boss, "SPUBLISH", "a", "shard");
    await stage.say(boss, "SPUBLISH", "c", "shard");
    await stage.say(boss, "PUBLISH", "a", "plain");
    await stage.say(boss, "PUBLISH", "b", "plain");
    for (const client of [alice, carol]) {
      await stage.hear(client);
      await stage.order(client, "SUNSUBSCRIBE b", "SUNSUBSCRIBE", "SUNSUBSCRIBE");
    }
    await stage.say(boss, "SPUBLISH", "a", "shard");
    await stage.say(boss, "PUBSUB", "SHARDNUMSUB", "a", "b");
  },
  "PUBSUB tells who listens": async (stage) => {
    const { boss, alice, carol } = stage;
    await speak3(stage);
    await alice.call("SUBSCRIBE", "news");
    await stage.order(carol, "PSUBSCRIBE n* x*", "SSUBSCRIBE news");
    for (const args of [
      ["CHANNELS"],
      ["CHANNELS", "n*"],
      ["CHANNELS", "x*"],
      ["CHANNELS", "a", "b"],
      ["NUMSUB"],
      ["NUMSUB", "news", "none", "news"],
      ["NUMPAT"],
      ["NUMPAT", "x"],
      ["SHARDCHANNELS"],
      ["SHARDCHANNELS", "x"],
      ["SHARDNUMSUB", "news", "none"],
      ["NOSUCH"],
      ["HELP"],
      ["HELP", "x"],
    ]) {
      await stage.say(boss, "PUBSUB", ...args);
    }
    await stage.say(boss, "PUBSUB");
    await stage.say(carol, "PUBSUB", "NUMSUB", "news");
    const info = String(await boss.ask("INFO", "stats"));
    stage.told.push(...(info.match(/^pubsub\w*:\d+/gm) ?? []));
  },
  "a subscriber may say little in RESP2": async (stage) => {
    const { boss, alice } = stage;
    const id = await alice.ask("CLIENT", "ID");
    await stage.say(alice, "SUBSCRIBE", "a");
    for (const name of ["flags", "sub", "psub", "ssub"]) stage.told.push(await stage.field(id, name));
    for (const args of [
      ["GET", "k"],
      ["CLIENT", "ID"],
      ["client", "nosuch"],
      ["NOSUCH"],
      ["GET"],
      ["MULTI"],
      ["EXEC"],
      ["DISCARD"],
      ["PING"],
      ["PING", "x"],
      ["PING", "x", "y"],
      ["HELLO", "3"],
      ["PUBLISH", "a", "x"],
      ["PSUBSCRIBE", "p"],
      ["PUNSUBSCRIBE"],
      ["SUNSUBSCRIBE"],
      ["UNSUBSCRIBE"],
      ["PING"],
      ["GET", "k"],
      ["SSUBSCRIBE", "s"],
      ["GET", "k"],
      ["RESET"],
      ["GET", "k"],
    ]) {
      await stage.say(alice, ...args);
    }
    stage.told.push(await stage.field(id, "flags"));
    await stage.say(boss, "SPUBLISH", "s", "nobody");
    await alice.call("SUBSCRIBE", "a");
    await stage.say(alice, "QUIT");
    await stage.say(boss, "PUBLISH", "a", "nobody");
  },
  "subscribing within MULTI": async (stage) => {
    const { boss, alice, bob } = stage;
    await stage.say(alice, "MULTI");
    await stage.say(alice, "SUBSCRIBE", "a");
    await stage.say(alice, "GET", "k");
    await stage.say(boss, "PUBLISH", "a", "early");
    await stage.say(alice, "EXEC");
    await stage.say(alice, "GET", "k");
    await stage.say(boss, "PUBLISH", "a", "late");
    await stage.hear(alice);
    await stage.say(bob, "MULTI");
    await stage.say(bob, "PUBLISH", "a", "one");
    await stage.say(bob, "PUBLISH", "a", "two");
    await stage.say(bob, "NOSUCH");
    await stage.say(bob, "EXEC");
    await stage.hear(alice);
    await stage.say(bob, "MULTI");
    await stage.say(bob, "PUBLISH", "a", "three");
    await stage.hear(alice);
    await stage.say(bob, "EXEC");
    await stage.hear(alice);
  },
  "without replies, subscriptions and messages are heard": async (stage) => {
    const { boss, carol } = stage;
    await speak3(stage);
    await stage.order(carol, "CLIENT REPLY OFF", "SUBSCRIBE a", "PING", "CLIENT REPLY ON");
    await stage.say(boss, "PUBLISH", "a", "x");
    await stage.hear(carol);
    await stage.order(carol, "CLIENT REPLY SKIP", "UNSUBSCRIBE", "PING");
  },
  "CLIENT KILL TYPE pubsub ends subscribers only": async (stage) => {
    const { boss, alice, bob, carol } = stage;
    await speak3(stage);
    await alice.call("SUBSCRIBE", "a");
    await stage.order(carol, "SSUBSCRIBE a");
    await stage.say(boss, "CLIENT", "KILL", "TYPE", "pubsub");
    stage.tell(await alice.call("PING"));
    stage.tell(await carol.call("PING"));
    await stage.say(bob, "PING");
    await stage.say(boss, "PUBSUB", "NUMSUB", "a");
  },
};

playStories("publishers and subscribers hear the same as with the real server", stories);
