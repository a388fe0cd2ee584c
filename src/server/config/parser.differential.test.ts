/** Configuration files and command lines beside the real redis-server: the same values, or the same complaint. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ChildServer, freePort } from "../../../test/support/child-server.ts";
import { runTool } from "../../../test/support/redis.ts";
import { temporaryFolder } from "../../../test/support/temp.ts";
import { Config } from "./config.ts";
import { MemoryDisk } from "./memory-disk.test.support.ts";
import { readConfiguration } from "./parser.ts";

/** Files that stop the start, by what is wrong with them. */
const BROKEN: Readonly<Record<string, string>> = {
  "an unknown name": "port 0\nfoo bar\n",
  "an open quote": 'port 0\nmaxmemory "10mb\n',
  "text behind a quote": 'maxmemory "10mb"x\n',
  "half a save point": "port 0\n\n# a\nsave 10\n",
  "no value": "port\n",
  "two values for one": "port 1 2\n",
  "a comment behind a value": "maxclients 10\nport 1 # two\n",
  "a renaming without a name": "rename-command GET\n",
  "a port that is none": "port 0\nreplicaof a x",
  "a cluster node that is a replica": "cluster-enabled yes\nreplicaof a 1\nport 0",
  "too many addresses": "bind 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n",
  "a path for a name": "dbfilename a/b\n",
  "an empty name": 'appendfilename ""\n',
  "a path for a directory's name": "appenddirname a/b",
  "bits that are not octal": "unixsocketperm 999\n",
  "too many bits": "unixsocketperm 1777\n",
  "an unknown word": "maxmemory-policy sometimes\n",
  "limits of three words": "client-output-buffer-limit normal 0 0\n",
  "a name in capitals": "PORT 0\nHZ x\n",
  "an include without a name": "include\n",
  "a retired name with two values": "list-max-ziplist-entries 1 2\n",
};

/** The four lines from the heading on, with names and versions made equal. */
function complaintOf(output: string): string[] {
  const lines = output.split("\n");
  const start = lines.findIndex((line) => line.startsWith("*** FATAL CONFIG FILE ERROR"));
  assert.notEqual(start, -1, output);
  const found = lines.slice(start + 1, start + 4).filter((line) => line !== "");
  return found[0]!.startsWith("Reading") ? found : found.slice(0, 1);
}

test("a broken file gets redis-server's report", async (t) => {
  const dir = temporaryFolder(t, "parser");
  for (const [what, conf] of Object.entries(BROKEN)) {
    const file = join(dir, "broken.conf");
    writeFileSync(file, conf);
    const result = await runTool("redis-server", [file]);
    assert.equal(result.code, 1, what);
    const disk = new MemoryDisk();
    disk.put(file, conf);
    const failure = readConfiguration(new Config({ workingDirectory: dir }), disk, { file, version: "0.1.0" });
    assert.notEqual(failure, undefined, what);
    assert.deepEqual(complaintOf(failure!.report), complaintOf(result.stderr + result.stdout), what);
  }
});

/** Command lines that stop the start: the word and its line are shown alike. */
const BROKEN_WORDS: readonly (readonly string[])[] = [
  ["--port", "0", "--foo"],
  ["--port", "0", "--save", "--foo"],
  ["--save", "60", "1", "--save", "30", "2", "--foo"],
  ["--port 0", "--foo bar"],
  ["--port 0 --foo bar"],
  ["--port=0"],
  ["--port", "0", "a 'b", "--loglevel", "x"],
  ["--bind", "", "--foo"],
  ["--maxmemory", "", "--foo", 'x"y'],
  ["--port", "--foo"],
  ["--shutdown-on-sigint", "nosave force", "--foo", "1", "2", "3"],
  ["--Port", "0", "--fOO"],
  ["--foo", "tab\there \\ é"],
];

test("a broken command line gets redis-server's report", async (t) => {
  const dir = temporaryFolder(t, "parser");
  for (const words of BROKEN_WORDS) {
    const result = await runTool("redis-server", words);
    assert.equal(result.code, 1, words.join(" "));
    const config = new Config({ workingDirectory: dir });
    const failure = readConfiguration(config, new MemoryDisk(), { commandLine: words, version: "0.1.0" });
    assert.notEqual(failure, undefined, words.join(" "));
    // Line numbers differ: redis-server counts the words behind the file's lines.
    assert.deepEqual(
      complaintOf(failure!.report).slice(1),
      complaintOf(result.stderr + result.stdout).slice(1),
      words.join(" "),
    );
  }
});

// In redis-server, an include makes every later save line replace the points before it. Here they go on to add up,
// so the includes stand last.
test("file, includes, standard input and command line give the values that redis-server has", async (t) => {
  const dir = temporaryFolder(t, "parser");
  const files: Readonly<Record<string, string>> = {
    "main.conf": `# all forms\r
  PORT 0
hz 17
slave-priority   '7'
masterauth "\\x41\\tb\\"c'"
save 900 1
save 300 10
client-output-buffer-limit slave 1mb 2mb 3 pubsub 4k 5kb 6
shutdown-on-sigterm nosave now
maxmemory-clients 10%
notify-keyspace-events AKE
list-max-ziplist-value 5
replicaof no one
lua-time-limit 77
include ${dir}/part*.conf
include none*.conf`,
    "part-1.conf": "hz 18\nmaxmemory 1gb\n",
    "part-2.conf": "timeout 5\nhz 19\n",
  };
  const disk = new MemoryDisk();
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(dir, name), text);
    disk.put(join(dir, name), text);
  }
  const port = await freePort();
  const words = [
    "--port",
    String(port),
    "--bind",
    "127.0.0.1",
    "--proc-title-template",
    "a {port}",
    "--tcp-keepalive",
    "5",
  ];
  const redis = await ChildServer.launch({
    name: "redis",
    command: "redis-server",
    args: ["main.conf", ...words],
    port,
    dir,
    ownsDir: false,
  });
  const client = await redis.connect();
  const flat = (await client.ask("CONFIG", "GET", "*")) as string[];
  client.close();
  await redis.stop();
  const config = new Config({ workingDirectory: dir });
  const failure = readConfiguration(config, disk, { file: "main.conf", commandLine: words, version: "0.1.0" });
  assert.equal(failure?.report, undefined);
  const ours = new Map(config.get(["*"]));
  for (let at = 0; at < flat.length; at += 2) assert.equal(ours.get(flat[at]!), flat[at + 1], flat[at]);
  assert.ok(flat.length > 300);
});
