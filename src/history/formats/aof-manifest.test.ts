import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { runTool } from "../../../test/support/redis.ts";
import { printedSeed, SeededRandom } from "../../../test/support/seed.ts";
import { createFolder, removeFolder } from "../../../test/support/temp.ts";
import { type AofManifest, formatManifest, ManifestFault, parseManifest } from "./aof-manifest.ts";

const BASE = "file appendonly.aof.1.base.rdb seq 1 type b\n";
const INCREMENT = "file appendonly.aof.1.incr.aof seq 1 type i\n";
const latin1 = (text: string) => Buffer.from(text, "latin1");

/** The fault of a manifest. Fails when it has none. */
function faultOf(text: string): ManifestFault {
  try {
    parseManifest(latin1(text));
  } catch (error) {
    assert.ok(error instanceof ManifestFault, String(error));
    return error;
  }
  assert.fail(`it was accepted: ${JSON.stringify(text)}`);
}

/** What Redis's log says of a manifest none of whose files is there. Only for manifests that name one. */
async function redisSays(manifest: string): Promise<string> {
  const dir = createFolder("manifest");
  try {
    mkdirSync(join(dir, "appendonlydir"));
    writeFileSync(join(dir, "appendonlydir", "appendonly.aof.manifest"), latin1(manifest));
    const settings = ["--port", "0", "--unixsocket", "socket", "--appendonly", "yes", "--save", "", "--dir", dir];
    const { stdout, code } = await runTool("redis-server", settings);
    assert.equal(code, 1);
    // Each entry begins with "<pid>:M <day> <month> <year> <time> <level> "; of those before the loading nothing is wanted.
    const text = stdout.replace(/^\d+:[MC] \d+ \w+ \d+ [\d:.]+ ([#*]) /gm, "$1 ");
    const start = text.search(/# (\n\*\*\* FATAL|Unable to obtain)/);
    assert.notEqual(start, -1, stdout);
    return text.slice(start);
  } finally {
    removeFolder(dir);
  }
}

/** What Redis would say, as we see it: our fault's report, or what it says when it looks for the first file. */
function weSay(manifest: string): string {
  try {
    const { base, increments } = parseManifest(latin1(manifest));
    const first = base ?? increments[0]!;
    return `# Unable to obtain the AOF file ${first.name} length. stat: No such file or directory\n`;
  } catch (error) {
    assert.ok(error instanceof ManifestFault, String(error));
    return error
      .report()
      .map((line) => `# ${line}\n`)
      .join("");
  }
}

const CASES: Readonly<Record<string, string>> = {
  "a good one": BASE + INCREMENT,
  "an empty one": "",
  "an empty line": "\n",
  "an empty line between others": `${BASE}\n${INCREMENT}`,
  "a line of space": `${BASE}  \n${INCREMENT}`,
  "no line end at the end": BASE + INCREMENT.slice(0, -1),
  "a comment": `#hello\n${BASE}`,
  "a comment without a line end": `${BASE}#`,
  "a comment behind space": `  #hello\n${BASE}`,
  "a long comment": `#${"a".repeat(1022)}\n${BASE}`,
  "a comment that ends where the next line begins": `#${"a".repeat(1023)}\n${BASE}`,
  "a much too long comment": `#${"a".repeat(5000)}\n${BASE}`,
  "a comment with a zero byte": `#a\0b\n${BASE}`,
  "lines that end as in DOS": (BASE + INCREMENT).replaceAll("\n", "\r\n"),
  "no base": INCREMENT,
  "no increment": BASE,
  "two bases": `${BASE}file b seq 2 type b\n`,
  "the base behind": INCREMENT + BASE,
  "numbers that fall": `${BASE}file b seq 2 type i\n${INCREMENT}`,
  "numbers that stand still": BASE + INCREMENT + INCREMENT,
  "numbers that jump": `${INCREMENT}file b seq 7 type i\n`,
  "number 0": "file a seq 0 type b\n",
  "a negative number of a base": "file a seq -1 type b\n",
  "a negative number of an increment": "file a seq -1 type i\n",
  "a number that is none": "file a seq x type b\n",
  "a number with something behind": "file a seq 1x type b\n",
  "a number with space before": 'file a seq " 1" type b\n',
  "a number with a sign": "file a seq +1 type b\n",
  "an unknown type": "file a seq 1 type x\n",
  "a type in capitals": "file a seq 1 type B\n",
  "a type of two letters": "file a seq 1 type bx\n",
  "an empty type": 'file a seq 1 type ""\n',
  "no type": "file a seq 1\n",
  "no number": "file a type b\n",
  "no number, but something else": "file a size 1 type b\n",
  "no name": "seq 1 type b\n",
  "an odd number of words": "file a seq 1 type b x\n",
  "unknown keys": `file a seq 1 type b size 5 "" ""\n`,
  "keys in capitals": "FILE a SEQ 1 Type b\n",
  "keys in another order": "type b seq 1 file a\n",
  "keys that stand twice": "file x seq 7 file a seq 1 type h type b\n",
  "a quoted name": 'file "a b\\x41\\t" seq 1 type b\n',
  "a name in single quotes": "file 'a b' seq 1 type b\n",
  "a quote that is not closed": 'file "a seq 1 type b\n',
  "a quote with something behind": 'file "a"b seq 1 type b\n',
  "a path": "file a/b seq 1 type b\n",
  "a path upwards": "file ../b seq 1 type b\n",
  "a path as in DOS": "file a\\b seq 1 type b\n",
  "a path before everything else that is wrong": "file a/b type x\n",
  "a zero byte in a line": "file a\0b seq 1 type b\n",
  "a zero byte at the start": `\0${BASE}`,
  "space around": " \t file\ta \v seq 1 type b \t \r\n",
  "a line of 1024 bytes": `file a seq 1 type b pad ${"a".repeat(1024 - 25)}\n`,
  "a line of 1025 bytes": `file a seq 1 type b pad ${"a".repeat(1025 - 25)}\n`,
  "one word": "hello\n",
  garbage: "\x00\x01\xfe\xff",
};

for (const [name, manifest] of Object.entries(CASES)) {
  test(`Redis says the same of a manifest with ${name}`, async () => {
    assert.equal(weSay(manifest), await redisSays(manifest));
  });
}

test("Redis says the same of manifests that were put together by chance", async () => {
  const random = new SeededRandom(printedSeed("manifests"));
  const words = ["file", "seq", "type", "b", "i", "h", "x", "a.aof", "1", "2", '"', "'", "a/b", "size", "\\", "#"];
  const ends = ["\n", "\n", "\n", "\n", "\n", "\r\n", "\n\n", " ", ""];
  for (let round = 0; round < 40; round++) {
    // The increment lets Redis look for a file, so that it comes to an end in any case.
    const lines = ["file first.aof seq 1 type i\n"];
    for (let count = random.between(1, 3); count > 0; count--) {
      const line = [
        "file",
        `${random.pick(words)}`,
        "seq",
        String(random.between(0, 4)),
        "type",
        random.pick(["b", "i", "h"]),
      ];
      if (random.chance(0.5)) line[random.below(line.length)] = random.pick(words);
      if (random.chance(0.2)) line.push(random.pick(words), random.pick(words));
      lines.push(line.join(" ") + random.pick(ends));
    }
    const manifest = lines.join("");
    const ours = weSay(manifest);
    assert.equal(ours, await redisSays(manifest), JSON.stringify(manifest));
  }
});

test("files are told by their kind, in their order", () => {
  const text = `# ours\nfile old.aof seq 3 type h\n${BASE}file c seq 4 type i\nfile older seq 2 type h\nfile d seq 6 type i\n`;
  assert.deepEqual(parseManifest(latin1(text)), {
    base: { name: "appendonly.aof.1.base.rdb", seq: 1, type: "b" },
    increments: [
      { name: "c", seq: 4, type: "i" },
      { name: "d", seq: 6, type: "i" },
    ],
    history: [
      { name: "old.aof", seq: 3, type: "h" },
      { name: "older", seq: 2, type: "h" },
    ],
  });
});

test("a manifest with nothing but comments or history has nothing to load", () => {
  assert.deepEqual(parseManifest(latin1("#")), { base: undefined, increments: [], history: [] });
  assert.equal(parseManifest(latin1("file a seq 1 type h\n")).history.length, 1);
});

test("a number that cannot be held exactly is refused", () => {
  assert.equal(faultOf("file a seq 9007199254740992 type b\n").message, "Invalid AOF manifest file format");
});

test("a fault says where its line begins", () => {
  const fault = faultOf(`${BASE}#\nnonsense\n`);
  assert.deepEqual(
    [fault.kind, fault.position, fault.lineNumber, fault.line],
    ["format", BASE.length + 2, 3, "nonsense"],
  );
});

test("lines are written as Redis writes them", () => {
  const file = (name: string, seq: number, type: "b" | "h" | "i") => ({ name, seq, type });
  const manifest: AofManifest = {
    base: file("a b.aof.1.base.rdb", 1, "b"),
    increments: [file("é.aof", 2, "i"), file('a"b\t\\', 3, "i"), file("#{}[]()-~!", 4, "i")],
    history: [file("old", 9, "h")],
  };
  assert.equal(
    Buffer.from(formatManifest(manifest)).toString("latin1"),
    'file "a b.aof.1.base.rdb" seq 1 type b\nfile old seq 9 type h\nfile "\\xc3\\xa9.aof" seq 2 type i\n' +
      'file "a\\"b\\t\\\\" seq 3 type i\nfile #{}[]()-~! seq 4 type i\n',
  );
});

test("what was written is read back", () => {
  const name = fc
    .oneof(
      fc.string({ unit: "binary", maxLength: 20 }),
      fc.string({ unit: fc.constantFrom("'", '"', " ", "\n", "\x7f", "#", "a") }),
    )
    .filter((text) => !/[/\\]/.test(text));
  const files = (type: "b" | "h" | "i") =>
    fc.array(fc.record({ name, seq: fc.integer({ min: 1 }), type: fc.constant(type) }, { noNullPrototype: true }), {
      maxLength: 4,
    });
  fc.assert(
    fc.property(files("b"), files("i"), files("h"), ([base], unordered, history) => {
      const increments = unordered.map((file, index) => ({ ...file, seq: index + 1 }));
      const manifest: AofManifest = { base, increments, history };
      fc.pre(base !== undefined || increments.length + history.length > 0); // no file at all is no manifest
      assert.deepEqual(parseManifest(formatManifest(manifest)), manifest);
    }),
  );
});

test("whatever bytes there are, they are a manifest or a fault", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        parseManifest(bytes);
      } catch (error) {
        assert.ok(error instanceof ManifestFault, String(error));
      }
    }),
  );
});
