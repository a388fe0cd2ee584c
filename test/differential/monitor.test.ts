/** MONITOR: the lines of commands, beside the real server. */
import type { RawClient } from "../support/raw-client.ts";
import { playStories, type Stage } from "./stage.ts";

/** The lines that `monitor` has heard, with neither times nor ports; its own PING ends them. */
async function hearLines(stage: Stage, monitor: RawClient): Promise<void> {
  monitor.write("*1\r\n$4\r\nPING\r\n");
  for (;;) {
    const line = String(await monitor.nextReply());
    stage.told.push(line.replace(/^\+\d+\.\d{6} /, "+time ").replace(/127\.0\.0\.1:\d+/, "address"));
    if (line.endsWith('"PING"\r\n')) return;
  }
}

playStories("MONITOR", {
  "shows commands with their database and their arguments quoted": async (stage) => {
    const { alice, bob } = stage;
    await stage.say(alice, "MONITOR");
    await bob.ask("SET", "k", Buffer.from('\x00\n\r\t\x07\x08\x0b\\" \xe9\x7f', "latin1"));
    await bob.ask("set", "", "");
    await bob.ask("SELECT", "3");
    await bob.ask("GET", "k");
    await hearLines(stage, alice);
  },

  "shows transactions when they run, and nothing that was refused": async (stage) => {
    const { alice, bob } = stage;
    await stage.say(alice, "MONITOR");
    await stage.order(
      bob,
      "MULTI",
      "SET a 1",
      "SELECT 2",
      "INCR a",
      "exec",
      "NOSUCH",
      "GET",
      "MULTI",
      "GET x",
      "DISCARD",
    );
    await stage.order(bob, "MULTI", "NOSUCH", "EXEC", "HGET a b", "INCR a");
    await hearLines(stage, alice);
  },

  "shows no administration and no passwords": async (stage) => {
    const { alice, bob } = stage;
    await stage.say(alice, "MONITOR");
    await stage.order(bob, "CONFIG GET port", "CLIENT LIST", "CLIENT GETNAME", "CLIENT KILL ID 999999", "DEBUG JMAP");
    await stage.order(
      bob,
      "AUTH a",
      "auth default b",
      "HELLO 2 AUTH default c",
      "hello 2 setname x",
      "SLOWLOG GET",
      "INFO server",
    );
    await stage.order(
      bob,
      "SUBSCRIBE c",
      "UNSUBSCRIBE",
      "PUBLISH c m",
      "FLUSHALL",
      "COMMAND COUNT",
      "DBSIZE",
      "KEYS *",
    );
    stage.told.splice(1, stage.told.length - 1);
    await hearLines(stage, alice);
  },

  "shows a command that waits once": async (stage) => {
    const { alice, bob, carol } = stage;
    await stage.say(alice, "MONITOR");
    const id = await bob.ask("CLIENT", "ID");
    const reply = bob.call("BLPOP", "q", "0");
    await stage.untilHeld(id);
    await stage.say(carol, "RPUSH", "q", "v");
    stage.tell(await reply);
    await hearLines(stage, alice);
  },

  "is not answered twice, ends with RESET, and is refused in MULTI": async (stage) => {
    const { alice, bob } = stage;
    const id = await alice.ask("CLIENT", "ID");
    await stage.order(bob, "MULTI", "MONITOR", "EXEC");
    await stage.say(alice, "MONITOR");
    alice.write("*1\r\n$7\r\nMONITOR\r\n");
    await hearLines(stage, alice);
    stage.told.push(await stage.field(id, "flags"));
    await stage.say(alice, "RESET");
    await stage.say(bob, "PING");
    await stage.say(alice, "PING");
    stage.told.push(await stage.field(id, "flags"));
  },
});
