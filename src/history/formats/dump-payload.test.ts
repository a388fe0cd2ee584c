import assert from "node:assert/strict";
import { test } from "node:test";
import { Collector } from "../../../test/golden/collect.ts";
import { ErrorReply, RealServer } from "../../../test/golden/real-server.ts";
import { DUMP_FOOTER_BYTES, DumpPayload, isDumpPayload, writeDumpFooter } from "./dump-payload.ts";
import { RdbEncoder } from "./rdb-encoder.ts";
import { RdbFault } from "./rdb-fault.ts";
import { IGNORE_VALUE } from "./value-visitor.ts";

test("payloads of the real server are read and ours are restored there", async () => {
  const server = await RealServer.start();
  try {
    await server.command("SET", "s", "hello ".repeat(20));
    await server.command("RPUSH", "l", "a", "1");
    const text = (await server.command("DUMP", "s")) as Buffer;
    assert.ok(isDumpPayload(text, 0, text.length, false));
    const payload = new DumpPayload(text, 0, text.length);
    assert.ok(payload.isString);
    payload.readString();
    const value = payload.stringBytes.subarray(payload.stringStart, payload.stringStart + payload.stringLength);
    assert.equal(Buffer.from(value).toString(), "hello ".repeat(20));

    const list = (await server.command("DUMP", "l")) as Buffer;
    const collector = new Collector();
    new DumpPayload(list, 0, list.length).readValue(collector);
    assert.deepEqual(collector.value, ["a", "1"]);

    const encoder = new RdbEncoder();
    encoder.byte(0);
    encoder.string(Buffer.from("ours"), 0, 4);
    const chunk = encoder.takeChunk();
    const end = writeDumpFooter(chunk.buffer, 0, chunk.length);
    assert.equal(end, chunk.length + DUMP_FOOTER_BYTES);
    assert.equal(await server.command("RESTORE", "r", "0", chunk.buffer.subarray(0, end)), "OK");
    assert.equal(String(await server.command("GET", "r")), "ours");
  } finally {
    await server.stop();
  }
});

test("a footer is accepted exactly when the real server accepts it", async () => {
  const server = await RealServer.start();
  try {
    await server.command("SET", "s", "value");
    const good = (await server.command("DUMP", "s")) as Buffer;
    for (let at = 0; at < good.length; at++) {
      const changed = Buffer.from(good);
      changed[at]! ^= 0x21;
      assert.ok(!isDumpPayload(changed, 0, changed.length, false), `byte ${at}`);
      const reply = await server.command("RESTORE", "r", "0", changed);
      assert.ok(reply instanceof ErrorReply && /version or checksum/.test(reply.text));
    }
    for (let length = 0; length < good.length; length++) assert.ok(!isDumpPayload(good, 0, length, false));
    const unsummed = Buffer.from(good);
    unsummed[unsummed.length - 1]! ^= 1;
    assert.ok(isDumpPayload(unsummed, 0, unsummed.length, true));
    unsummed[unsummed.length - 10] = 13;
    assert.ok(!isDumpPayload(unsummed, 0, unsummed.length, true));
  } finally {
    await server.stop();
  }
});

test("changed payloads whose sum is not looked at are faults or other values", async () => {
  const server = await RealServer.start();
  try {
    await server.command("ZADD", "z", "1", "a", "2.5", "b", "70000", "c");
    const good = (await server.command("DUMP", "z")) as Buffer;
    let faults = 0;
    for (let at = 0; at < good.length - 10; at++) {
      for (const flip of [1, 0x40, 0x80, 0xff]) {
        const changed = Buffer.from(good);
        changed[at]! ^= flip;
        try {
          const payload = new DumpPayload(changed, 0, changed.length);
          if (payload.isString) payload.readString();
          else payload.readValue(IGNORE_VALUE);
        } catch (error) {
          assert.ok(error instanceof RdbFault, String(error));
          faults++;
        }
      }
    }
    assert.ok(faults > 50);
  } finally {
    await server.stop();
  }
});
