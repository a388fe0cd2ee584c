/**
 * Everkey inside a program: started on a free port, several beside each other, and from the package as npm packs it.
 */
import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { startEverkeyInProcess } from "../support/everkey.ts";
import { RawClient } from "../support/raw-client.ts";
import { runTool } from "../support/redis.ts";
import { repositoryRoot } from "../support/repository.ts";
import { temporaryFolder } from "../support/temp.ts";

describe("Everkey in a program", () => {
  test("starts on a free port and says where it is", async (context) => {
    const server = await startEverkeyInProcess(temporaryFolder(context, "embedded"));
    context.after(() => server.close());
    assert.ok(server.port > 0);
    assert.equal(new URL(server.url).protocol, "redis:");
    assert.equal(Number(new URL(server.url).port), server.port);
    const client = await RawClient.connect(server.port);
    assert.equal(await client.ask("SET", "key", "value"), "OK");
    assert.equal(await client.ask("GET", "key"), "value");
    client.close();
  });

  test("several servers in one process share nothing", async (context) => {
    const folders = [1, 2, 3].map((number) => temporaryFolder(context, `embedded-${number}`));
    const servers = await Promise.all(folders.map((folder) => startEverkeyInProcess(folder)));
    context.after(() => Promise.all(servers.map((server) => server.close())));
    assert.equal(new Set(servers.map((server) => server.port)).size, 3);
    const clients = await Promise.all(servers.map((server) => RawClient.connect(server.port)));
    for (const [index, client] of clients.entries()) {
      await client.ask("SET", "key", `value ${index}`);
      await client.ask("CONFIG", "SET", "maxmemory", String((index + 1) << 24));
    }
    for (const [index, client] of clients.entries()) {
      assert.equal(await client.ask("GET", "key"), `value ${index}`);
      assert.equal(await client.ask("DBSIZE"), 1);
      assert.deepEqual(await client.ask("CONFIG", "GET", "maxmemory"), ["maxmemory", String((index + 1) << 24)]);
      client.close();
    }
  });

  test("after close nobody answers, and the data is there for the next one", async (context) => {
    const folder = temporaryFolder(context, "embedded");
    const first = await startEverkeyInProcess(folder);
    const client = await RawClient.connect(first.port);
    await client.ask("SET", "kept", "1");
    await client.ask("SAVE");
    await first.close();
    assert.equal((await client.untilClosed()).length, 0);
    await assert.rejects(RawClient.connect(first.port), { code: "ECONNREFUSED" });
    const second = await startEverkeyInProcess(folder);
    context.after(() => second.close());
    const again = await RawClient.connect(second.port);
    assert.equal(await again.ask("GET", "kept"), "1");
    again.close();
  });

  test("a directive that does not exist is refused with its name", async (context) => {
    await assert.rejects(
      startEverkeyInProcess(temporaryFolder(context, "embedded"), { "no-such-directive": "1" }),
      /no-such-directive/,
    );
  });
});

test("the package works where it is installed, with its types", async (context) => {
  const root = repositoryRoot();
  const place = temporaryFolder(context, "package");
  // Without scripts: the build that is under test is the one that is packed.
  const packed = await runTool("npm", ["pack", root, "--ignore-scripts", "--json", "--pack-destination", place]);
  assert.equal(packed.code, 0, packed.stderr);
  const [{ filename, files }] = JSON.parse(packed.stdout) as [{ filename: string; files: { path: string }[] }];
  const names = files.map(({ path }) => path);
  for (const name of [
    "bin/everkey",
    "dist/src/index.js",
    "dist/src/index.d.ts",
    "LICENSE",
    "README.md",
    "everkey.conf",
  ]) {
    assert.ok(names.includes(name), `${name} is in the package`);
  }
  assert.deepEqual(
    names.filter((name) => /\.test\./.test(name)),
    [],
  );

  const installed = join(place, "node_modules", "everkey");
  mkdirSync(installed, { recursive: true });
  const unpacked = await runTool("tar", ["-xzf", join(place, filename), "-C", installed, "--strip-components=1"]);
  assert.equal(unpacked.code, 0, unpacked.stderr);
  // What npm would fetch for it; this test does not need a network.
  const manifest = JSON.parse((await runTool("cat", [join(installed, "package.json")])).stdout) as {
    dependencies: object;
  };
  for (const name of [...Object.keys(manifest.dependencies), "@types"]) {
    symlinkSync(join(root, "node_modules", name), join(place, "node_modules", name));
  }
  const program = `import { Everkey } from "everkey";
const server = await Everkey.start({ port: 0, dir: process.argv[2] ?? ".", save: "" });
const port: number = server.port;
const url: string = server.url;
console.log(port > 0 && url.includes(String(port)) ? "started" : "wrong");
await server.close();
`;
  writeFileSync(join(place, "package.json"), '{ "type": "module" }');
  writeFileSync(join(place, "program.ts"), program);
  const options = [
    "--ignoreConfig",
    "--module",
    "nodenext",
    "--target",
    "es2023",
    "--strict",
    "--types",
    "node",
    "--outDir",
    place,
  ];
  const compiled = await runTool(join(root, "node_modules", ".bin", "tsc"), [...options, join(place, "program.ts")]);
  assert.equal(compiled.code, 0, compiled.stdout);
  const ran = await runTool(process.execPath, [join(place, "program.js"), place]);
  assert.equal(ran.stdout.trim().split("\n").at(-1), "started", ran.stderr);
  const version = await runTool(process.execPath, [join(installed, "bin", "everkey"), "--version"]);
  assert.equal(version.code, 0, version.stderr);
});
