/** The program as a person starts it: what it prints, its exit codes, signals, pid file, background, crash report. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { freePort } from "../../test/support/child-server.ts";
import { everkeyProgram, startEverkey } from "../../test/support/everkey.ts";
import { RawClient } from "../../test/support/raw-client.ts";
import { runTool } from "../../test/support/redis.ts";
import { temporaryFolder } from "../../test/support/temp.ts";
import { waitUntil } from "../../test/support/wait.ts";

function everkey(words: readonly string[], input?: string) {
  return runTool(process.execPath, [everkeyProgram(), ...words], input);
}

test("versions and help go to standard output with exit code 0", async () => {
  for (const [words, expected] of [
    [["--version"], /^\d+\.\d+\.\d+\n$/],
    [["--help"], /everkey server everkey\.conf/],
    [["server", "--version"], /^Everkey server v=\d+\.\d+\.\d+ \(Redis 7\.2\.\d+ compatible\)/],
    [["server", "--help"], /^Usage: everkey server/],
  ] as const) {
    const { code, stdout, stderr } = await everkey(words);
    assert.deepEqual([code, stderr], [0, ""], words.join(" "));
    assert.match(stdout, expected);
  }
});

test("wrong usage is told on standard error with exit code 2", async () => {
  for (const words of [["nosuch"], ["--nosuch"], ["server", "a.conf", "port"], ["server", "--sentinel"]]) {
    const { code, stdout, stderr } = await everkey(words);
    assert.deepEqual([code, stdout], [2, ""], words.join(" "));
    assert.match(stderr, /--help/);
  }
});

test("a configuration that cannot be ends with exit code 1 and touches nothing", async (t) => {
  const dir = temporaryFolder(t, "program");
  const pidFile = join(dir, "pid");
  for (const words of [
    ["--nosuch", "1"],
    ["--rename-command", "NOSUCH x"],
    ["--port", "x"],
    [join(dir, "none.conf")],
  ]) {
    const { code } = await everkey(["server", ...words, "--dir", dir, "--pidfile", pidFile]);
    assert.equal(code, 1, words.join(" "));
    assert.equal(existsSync(pidFile), false);
  }
});

test("SIGTERM and SIGINT end it with exit code 0; its pid file is there as long as it runs", async (t) => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const pidfile = join(temporaryFolder(t, "program"), "everkey.pid");
    const server = await startEverkey({ directives: { pidfile } });
    t.after(() => server.stop());
    assert.equal(readFileSync(pidfile, "utf8"), `${server.pid}\n`);
    process.kill(server.pid, signal);
    assert.deepEqual(await server.exited, { code: 0, signal: null });
    assert.equal(existsSync(pidfile), false);
    assert.match(server.log(), new RegExp(`Received ${signal} scheduling shutdown`));
    assert.match(server.log(), /now ready to exit, bye bye/);
  }
});

test("daemonize yes goes on in the background with its log and pid file", async (t) => {
  const dir = temporaryFolder(t, "program");
  const port = await freePort();
  const [log, pidfile] = [join(dir, "log"), join(dir, "pid")];
  const places = ["--dir", dir, "--logfile", log, "--pidfile", pidfile];
  // The configuration comes through standard input, which the one in the background has not got.
  const input = `port ${port}\nbind 127.0.0.1\nsave ""\nrename-command FLUSHALL ""\nrename-command GET fetch\n`;
  const started = await everkey(["server", "-", "--daemonize", "yes", ...places], input);
  assert.deepEqual([started.code, started.stdout], [0, ""]);
  const client = await waitUntil("it listens", () => RawClient.connect(port).catch(() => undefined));
  await waitUntil("it serves", async () => (await client.call("PING"))?.toString() === "+PONG\r\n");
  const pid = Number(readFileSync(pidfile, "utf8"));
  t.after(() => {
    if (existsSync(pidfile)) process.kill(pid, "SIGKILL");
  });
  assert.match(String(await client.ask("INFO", "server")), new RegExp(`^process_id:${pid}\r`, "m"));
  assert.equal(await client.ask("SET", "k", "v"), "OK");
  assert.equal(await client.ask("FETCH", "k"), "v");
  assert.match(String(await client.call("GET", "k")), /^-ERR unknown command/);
  assert.match(String(await client.call("FLUSHALL")), /^-ERR unknown command/);
  process.kill(pid, "SIGTERM");
  await client.untilClosed();
  await waitUntil("it is gone", () => !existsSync(pidfile));
  assert.match(readFileSync(log, "utf8"), new RegExp(`^${pid}:M .* \\* Ready to accept connections tcp$`, "m"));
});

test("an error of ours ends it with exit code 1, a report in the log and no pid file", async (t) => {
  const pidfile = join(temporaryFolder(t, "program"), "everkey.pid");
  const server = await startEverkey({ directives: { pidfile } });
  t.after(() => server.stop());
  const client = await server.connect();
  assert.equal(await client.call("DEBUG", "PANIC"), undefined);
  assert.deepEqual(await server.exited, { code: 1, signal: null });
  await waitUntil("the report is whole", () => server.log().includes("EVERKEY BUG REPORT END"));
  assert.match(server.log(), /EVERKEY BUG REPORT START[\s\S]*Node v\d+[\s\S]*\.js:\d+/);
  assert.equal(existsSync(pidfile), false);
});
