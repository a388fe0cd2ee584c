/** ACL files and `user` lines: what one server writes the other reads, and both report the same mistakes. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { ChildServer } from "../support/child-server.ts";
import { startSubject } from "../support/everkey.ts";
import type { RawClient } from "../support/raw-client.ts";
import { startRedis } from "../support/redis.ts";
import { createFolder, removeFolder } from "../support/temp.ts";

const FIRST =
  "user default on nopass ~* &* +@all\nuser bob on >secret ~a* %R~b &c resetchannels &d -@all +@read -get (+set ~x)\n";

describe("ACL files", () => {
  const endings: (() => unknown)[] = [];
  let subject: ChildServer;
  let ours: RawClient;
  let theirs: RawClient;
  let ownFile = "";
  let realFile = "";

  before(async () => {
    const folder = createFolder("acl-file");
    endings.push(() => removeFolder(folder));
    ownFile = join(folder, "own.acl");
    realFile = join(folder, "real.acl");
    for (const path of [ownFile, realFile]) writeFileSync(path, FIRST);
    subject = await startSubject({ directives: { aclfile: ownFile } });
    endings.push(() => subject.stop());
    const redis = await startRedis({ directives: { aclfile: realFile } });
    endings.push(() => redis.stop());
    ours = await subject.connect();
    endings.push(() => ours.close());
    theirs = await redis.connect();
    endings.push(() => theirs.close());
  });

  after(async () => {
    for (const end of endings.reverse()) await end();
  });

  test("both read the same file and write what the other reads", async () => {
    for (const client of [ours, theirs]) {
      assert.equal(
        await client.ask("ACL", "SETUSER", "carol", "on", ">x", "~*", "+@all", "-@dangerous", "+config|get"),
        "OK",
      );
      assert.equal(await client.ask("ACL", "SAVE"), "OK");
    }
    const written = readFileSync(ownFile, "latin1");
    assert.match(
      written,
      /^user bob on .*#2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b ~a\* %R~b resetchannels &d -@all \+@read -get \(~x resetchannels -@all \+set\)$/m,
    );
    writeFileSync(ownFile, readFileSync(realFile));
    writeFileSync(realFile, written);
    const tried = [
      "get a",
      "strlen a",
      "strlen b",
      "set x 1",
      "set a 1",
      "publish d 1",
      "flushall",
      "config get a",
      "config set a b",
    ];
    for (const client of [ours, theirs]) assert.equal(await client.ask("ACL", "LOAD"), "OK");
    for (const user of ["bob", "carol"]) {
      for (const words of tried) {
        const [own, real] = (await Promise.all(
          [ours, theirs].map((client) => client.ask("ACL", "DRYRUN", user, ...words.split(" "))),
        )) as [string, string];
        assert.equal(own.replace(`User ${user}`, "This user"), real, `${user}: ${words}`);
      }
    }
  });

  test("a file with mistakes is refused with the same report, and changes nothing", async () => {
    for (const text of [
      "user zz on nopass +foo\nusr\nuser\nuser zz on\n",
      "user yy on ~a ~* ~b\nuser xx #ab <x\n",
      "# comment\n",
      "user  b on\n",
    ]) {
      for (const path of [ownFile, realFile]) writeFileSync(path, text);
      const before = await ours.ask("ACL", "LIST");
      const [own, real] = await Promise.all([ours, theirs].map((client) => client.call("ACL", "LOAD")));
      assert.equal(own!.toString().replaceAll(ownFile, "F"), real!.toString().replaceAll(realFile, "F"), text);
      assert.deepEqual(await ours.ask("ACL", "LIST"), before);
    }
  });

  test("ACL LOAD closes whose user is gone and keeps the others", async () => {
    writeFileSync(ownFile, "user bob on nopass +@all\nuser carol on nopass +@all\n");
    assert.equal(await ours.ask("ACL", "LOAD"), "OK");
    const [bob, carol] = await Promise.all([subject.connect(), subject.connect()]);
    await bob.ask("AUTH", "bob", "x");
    await carol.ask("AUTH", "carol", "x");
    writeFileSync(ownFile, "user carol on nopass +ping\n");
    assert.equal(await ours.ask("ACL", "LOAD"), "OK");
    await bob.untilClosed();
    assert.equal(await carol.ask("PING"), "PONG");
    await assert.rejects(carol.ask("ECHO", "x"), /NOPERM User carol has no permissions to run the 'echo' command/);
    carol.close();
  });

  test("user lines of a configuration file come back from CONFIG REWRITE", async () => {
    const folder = createFolder("acl-conf");
    const path = join(folder, "everkey.conf");
    writeFileSync(path, "user dave on nopass ~d* -@all +get\n");
    const { launchServer } = await import("../support/child-server.ts");
    const { everkeyProgram } = await import("../support/everkey.ts");
    const server = await launchServer("everkey", process.execPath, [everkeyProgram(), "server", path], { dir: folder });
    const client = await server.connect();
    await client.ask("ACL", "SETUSER", "erin", "on", ">p");
    assert.equal(await client.ask("CONFIG", "REWRITE"), "OK");
    client.close();
    await server.stop();
    const lines = readFileSync(path, "latin1")
      .split("\n")
      .filter((line) => line.startsWith("user "));
    assert.deepEqual(lines.map((line) => line.split(" ")[1]).sort(), ["dave", "default", "erin"]);
    assert.ok(lines.includes("user dave on nopass sanitize-payload ~d* resetchannels -@all +get"));
    removeFolder(folder);
  });
});
