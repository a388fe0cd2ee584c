import assert from "node:assert/strict";
import { test } from "node:test";
import { directoryCheck } from "./checks.ts";
import { Config } from "./config.ts";
import { MemoryDisk } from "./memory-disk.test.support.ts";

test("dir must be a directory that is there", () => {
  const disk = new MemoryDisk();
  disk.put("/data/file", "");
  const config = new Config({ workingDirectory: "/" });
  config.validate("dir", directoryCheck(disk));
  assert.equal(config.readLine(["dir", "nowhere"]), "No such file or directory");
  assert.equal(config.readLine(["dir", "data/file"]), "Not a directory");
  assert.equal(config.readLine(["dir", "data"]), undefined);
  assert.equal(config.text("dir"), "/data");
});
