import assert from "node:assert/strict";
import { test } from "node:test";
import { dataCommands } from "../commands/all.ts";
import {
  EVENT_GENERIC,
  EVENT_NEW,
  EVENT_STRING,
  EVENTS_ALL,
  EVENTS_BY_KEY,
  EVENTS_BY_NAME,
} from "../commands/events.ts";
import { eventBits, KeyspaceEvents } from "./keyspace-events.ts";
import { World } from "./testing.ts";

/** A world in which every message is written down, `channel message`. */
class Listening {
  readonly world = new World(dataCommands());
  readonly heard: string[] = [];
  readonly events: KeyspaceEvents;
  hasListeners = true;
  isLoading = false;
  private readonly peer = this.world.connect();

  constructor(letters: string) {
    this.events = new KeyspaceEvents(this.world.dispatcher.context, this, () => this.isLoading);
    this.events.configure(letters);
  }

  publish(channel: Uint8Array, start: number, length: number, text: Uint8Array, from: number, size: number): number {
    const part = (bytes: Uint8Array, at: number, count: number): string =>
      Buffer.from(bytes.subarray(at, at + count)).toString("latin1");
    this.heard.push(`${part(channel, start, length)} ${part(text, from, size)}`);
    return 1;
  }

  /** What is heard of some commands. */
  of(...lines: string[]): string[] {
    this.heard.length = 0;
    for (const line of lines) this.peer.ask(...line.split(" "));
    return this.heard;
  }
}

test("letters are bits, and A all but those of new and of missing keys", () => {
  assert.equal(eventBits(""), 0);
  assert.equal(eventBits("Kg$"), EVENTS_BY_KEY | EVENT_GENERIC | EVENT_STRING);
  assert.equal(eventBits("AE"), EVENTS_ALL | EVENTS_BY_NAME);
  assert.equal(eventBits("g$lshzxetd"), EVENTS_ALL);
  assert.equal(eventBits("A") & EVENT_NEW, 0);
});

test("the key's channel hears first, then the event's", () => {
  const listening = new Listening("KE$");
  assert.deepEqual(listening.of("SELECT 12", "SET k v"), ["__keyspace@12__:k set", "__keyevent@12__:set k"]);
});

test("without a place or a class nobody tells anything", () => {
  for (const letters of ["", "A", "KE", "Kn", "$"]) {
    const listening = new Listening(letters);
    listening.of("SET k v");
    assert.deepEqual(
      listening.heard.filter((line) => !line.endsWith("new")),
      [],
    );
    assert.equal(listening.world.dispatcher.context.eventClasses !== 0, letters === "Kn");
  }
});

test("what was chosen is changed at any time", () => {
  const listening = new Listening("KEA");
  const { context } = listening.world.dispatcher;
  assert.equal(listening.of("SET k v").length, 2);
  listening.events.configure("Km");
  assert.deepEqual(listening.of("SET k v", "GET none"), ["__keyspace@0__:none keymiss"]);
  listening.events.configure("");
  assert.deepEqual(listening.of("SET k v", "GET none", "SET k2 v"), []);
  assert.equal(context.eventObserver, undefined);
  assert.equal(context.keyspace.onMiss, undefined);
  assert.equal(context.keyspace.onNew, undefined);
});

test("keys that are made by loading are not new", () => {
  const listening = new Listening("Kn");
  assert.deepEqual(listening.of("SET a 1"), ["__keyspace@0__:a new"]);
  listening.isLoading = true;
  assert.deepEqual(listening.of("SET b 1"), []);
});

test("long keys and keys of any bytes are named whole", () => {
  const listening = new Listening("K$");
  const key = `\u0000\r\n\u00ff${"k".repeat(5000)}`;
  assert.deepEqual(listening.of(`SET ${key} v`), [`__keyspace@0__:${key} set`]);
});

test("expired keys are told by the cycle that finds them, and by whoever looks", () => {
  const listening = new Listening("Ex");
  const { keyspace } = listening.world.dispatcher.context;
  listening.of("SET a 1 PX 50", "SET b 1 PX 50");
  listening.world.advance(100);
  assert.deepEqual(listening.of("GET a"), ["__keyevent@0__:expired a"]);
  keyspace.nowMs = listening.world.clock.nowMs();
  listening.heard.length = 0;
  const database = keyspace.databases[0]!;
  do keyspace.expireNext(database, { records: 0, expired: 0, ttlMs: 0 });
  while (database.expiryCursor !== 0);
  assert.deepEqual(listening.heard, ["__keyevent@0__:expired b"]);
});

test("as long as nobody listens to anything, nothing is put together", () => {
  const listening = new Listening("KEA");
  listening.hasListeners = false;
  assert.deepEqual(listening.of("SET k v", "DEL k"), []);
});
