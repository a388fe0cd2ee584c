/**
 * Everkey and the real server's files: every golden file is loaded, every golden dump restored, and dumped again for the real
 * server.
 *
 *      <name>.rdb ──► Everkey ──► the same contents ──► SAVE ──► the real server ──► the same contents
 *      <name>.dumps ──► RESTORE ──► Everkey ──► DUMP ──► RESTORE ──► the real server
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { dumpOutline } from "../differential/compare-dumps.ts";
import { startSubject } from "../support/everkey.ts";
import { repositoryRoot } from "../support/repository.ts";
import { type Collected, type CollectedKey, collectServer, serverValue } from "./collect.ts";
import { RealServer } from "./real-server.ts";

const NAMES = ["compact", "spread", "unsummed", "unsummed-spread", "lru", "lfu", "nothing", "wide", "nodes"];
/** Sets-ups with dumps, and the directives that they were made with, which decide about encodings. */
const DUMPED = {
  wide: {},
  nodes: {
    "hash-max-listpack-entries": "2",
    "zset-max-listpack-entries": "2",
    "set-max-intset-entries": "2",
    "list-max-listpack-size": "3",
    "list-compress-depth": "1",
    "stream-node-max-entries": "3",
  },
};
/** Encodings that 7.2 has where 7.0 has others. */
const ENCODINGS_OF_72: Readonly<Record<string, readonly string[]>> = {
  quicklist: ["quicklist", "listpack"],
  hashtable: ["hashtable", "listpack"],
  // A restored string is as short as it can be.
  raw: ["raw", "embstr"],
};

interface GoldenDump {
  readonly encoding: string;
  readonly dump: string;
}

const golden = (name: string): Buffer => readFileSync(join(repositoryRoot(), "test", "golden", name));
const contents = (name: string): Collected => JSON.parse(golden(`${name}.contents`).toString());
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

/** A file with a function library, which Everkey does not have yet. */

/** A server that begins with the file `rdb`. */
const startWith = (rdb: Buffer, launch?: typeof startSubject): Promise<RealServer> =>
  RealServer.start({}, (dir) => writeFileSync(join(dir, "dump.rdb"), rdb), launch);

describe("files of the real server", () => {
  for (const name of NAMES) {
    test(`"${name}" is loaded, and what is saved then is loaded by the real server`, async () => {
      const subject = await startWith(golden(`${name}.rdb`), startSubject);
      let saved: Buffer;
      try {
        assert.deepEqual(plain((await collectServer(subject, [0, 3])).keys), contents(name).keys);
        saved = await subject.save();
      } finally {
        await subject.stop();
      }
      const real = await startWith(saved);
      try {
        assert.deepEqual(plain((await collectServer(real, [0, 3])).keys), contents(name).keys);
      } finally {
        await real.stop();
      }
    });
  }
});

describe("dumps of the real server", () => {
  let subject: RealServer;
  let real: RealServer;

  before(async () => {
    subject = await RealServer.start({}, undefined, startSubject);
    real = await RealServer.start();
  });

  after(async () => {
    await subject?.stop();
    await real?.stop();
  });

  for (const [name, directives] of Object.entries(DUMPED)) {
    const dumps: Readonly<Record<string, GoldenDump>> = JSON.parse(golden(`${name}.dumps`).toString());
    const keys = new Map<string, CollectedKey>(
      contents(name)
        .keys.filter((each) => each.database === 0)
        .map((each) => [each.key, each]),
    );

    test(`those of "${name}" are restored, and ours of the same values by the real server`, async () => {
      for (const [directive, value] of Object.entries(directives))
        assert.equal(await subject.command("CONFIG", "SET", directive, value), "OK");
      assert.equal(Object.keys(dumps).length, keys.size);
      for (const [key, { encoding, dump }] of Object.entries(dumps)) {
        const { kind, value } = keys.get(key)!;
        const bytes = Buffer.from(key, "latin1");
        const label = `${name}, ${key}, ${encoding}`;
        assert.equal(await subject.command("RESTORE", bytes, "0", Buffer.from(dump, "hex"), "REPLACE"), "OK", label);
        assert.equal(String(await subject.command("TYPE", bytes)), kind, label);
        assert.deepEqual(plain(await serverValue(subject, bytes, kind)), value, label);
        const own = String(await subject.command("OBJECT", "ENCODING", bytes));
        assert.ok((ENCODINGS_OF_72[encoding] ?? [encoding]).includes(own), `${label}: ${own}`);

        const ours = await subject.command("DUMP", bytes);
        assert.ok(Buffer.isBuffer(ours), label);
        assert.equal(await real.command("RESTORE", bytes, "0", ours, "REPLACE"), "OK", label);
        assert.deepEqual(plain(await serverValue(real, bytes, kind)), value, label);
        // What was restored from our own dump is the same value again.
        assert.equal(await subject.command("RESTORE", "again", "0", ours, "REPLACE"), "OK", label);
        const again = await subject.command("DUMP", "again");
        assert.ok(Buffer.isBuffer(again), label);
        assert.equal(dumpOutline(again), dumpOutline(ours), label);
      }
    });
  }
});
