/** Clients that behave badly, and a system that has nothing left: only they themselves lose by it. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ChildServer, freePort } from "../support/child-server.ts";
import { everkeyProgram, startEverkey } from "../support/everkey.ts";
import { encodeCommand, RawClient } from "../support/raw-client.ts";
import { runTool } from "../support/redis.ts";
import { temporaryFolder } from "../support/temp.ts";
import { waitUntil } from "../support/wait.ts";

const MEGABYTE = 1 << 20;

/** A socket that reads nothing until it is told to. */
function silentSocket(t: TestContext, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    socket.pause();
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      socket.on("error", () => undefined);
      resolve(socket);
    });
    t.after(() => socket.destroy());
  });
}

async function started(t: TestContext, directives: Record<string, string | number> = {}) {
  const server = await startEverkey({ directives });
  t.after(() => server.stop());
  const client = await server.connect();
  t.after(() => client.close());
  // Its reply comes when those who came and went before it are gone: only this client is counted from here on.
  await client.ask("PING");
  return { server, client };
}

/** A field of a section of INFO as a number. */
async function info(client: RawClient, section: string, field: string): Promise<number> {
  const text = String(await client.ask("INFO", section));
  return Number(new RegExp(`^${field}:(.*)\r`, "m").exec(text)?.[1]);
}

test("100 MB for a client that does not read are its own: others are answered, and its going gives all back", async (t) => {
  const { server, client } = await started(t);
  await client.ask("SET", "large", Buffer.alloc(10 * MEGABYTE, "x"));
  const slow = await silentSocket(t, server.port);
  for (let count = 0; count < 10; count++) slow.write(encodeCommand(["GET", "large"]));
  await waitUntil("the replies wait", async () => (await info(client, "memory", "mem_clients_normal")) > 90 * MEGABYTE);
  assert.match(String(await client.ask("CLIENT", "LIST")), / omem=\d{8,9} /);
  assert.equal(await client.ask("SET", "other", "1"), "OK");
  slow.destroy();
  await waitUntil("its memory is free", async () => (await info(client, "memory", "mem_clients_normal")) < MEGABYTE);
  await waitUntil("it is gone", async () => (await info(client, "clients", "connected_clients")) === 1);
});

test("client-output-buffer-limit closes a client that does not read, and the log says so", async (t) => {
  const { server, client } = await started(t, { "client-output-buffer-limit": "normal 20mb 0 0" });
  await client.ask("SET", "large", Buffer.alloc(8 * MEGABYTE, "x"));
  const slow = await silentSocket(t, server.port);
  for (let count = 0; count < 10; count++) slow.write(encodeCommand(["GET", "large"]));
  await waitUntil("the log says so", () =>
    /Client id=\d+ .* for overcoming of output buffer limits\./.test(server.log()),
  );
  await waitUntil("it is gone", async () => (await info(client, "clients", "connected_clients")) === 1);
});

test("a client that has said all and closes its side still gets every reply, then the connection ends", async (t) => {
  const { server, client } = await started(t);
  await client.ask("SET", "large", Buffer.alloc(8 * MEGABYTE, "x"));
  const socket = await silentSocket(t, server.port);
  socket.end(encodeCommand(["GET", "large"]));
  let bytes = 0;
  const ended = new Promise((resolve) => socket.once("end", resolve));
  socket.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  socket.resume();
  await ended;
  assert.equal(bytes, 8 * MEGABYTE + "$8388608\r\n\r\n".length);
  await waitUntil("it is gone", async () => (await info(client, "clients", "connected_clients")) === 1);
});

test("half a request and then the end changes nothing", async (t) => {
  const { server, client } = await started(t);
  for (const end of ["end", "destroy"] as const) {
    const socket = await silentSocket(t, server.port);
    await new Promise((resolve) => socket.write("*3\r\n$3\r\nSET\r\n$4\r\nhalf\r\n$5\r\nva", resolve));
    await waitUntil("it is there", async () => (await info(client, "clients", "connected_clients")) === 2);
    socket[end]();
    await waitUntil("it is gone", async () => (await info(client, "clients", "connected_clients")) === 1);
  }
  assert.equal(await client.ask("EXISTS", "half"), 0);
});

test("a bulk of 512 MB that is announced and never comes takes no memory", async (t) => {
  const { server, client } = await started(t);
  const before = await info(client, "memory", "used_memory_rss");
  for (let count = 0; count < 5; count++) {
    const socket = await silentSocket(t, server.port);
    socket.write("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\nxyz");
  }
  await waitUntil("all are there", async () => (await info(client, "clients", "connected_clients")) === 6);
  const grown = (await info(client, "memory", "used_memory_rss")) - before;
  assert.ok(grown < 64 * MEGABYTE, `${grown} bytes for 5 announcements`);
});

test("clients beyond maxclients are told so and closed; those who are there stay", async (t) => {
  const { server, client } = await started(t, { maxclients: 50 });
  const rest = await Promise.all(Array.from({ length: 49 }, () => server.connect()));
  t.after(() => {
    for (const each of rest) each.close();
  });
  for (let count = 0; count < 20; count++) {
    const refused = await server.connect();
    assert.equal((await refused.untilClosed()).toString(), "-ERR max number of clients reached\r\n");
  }
  assert.equal(await info(client, "stats", "rejected_connections"), 20);
  rest.pop()!.close();
  await waitUntil("there is room", async () => {
    const next = await server.connect();
    const reply = await next.call("PING");
    next.close();
    return reply?.toString() === "+PONG\r\n";
  });
});

test("a system that gives no more descriptors costs the newcomers their connection, not the server its life", async (t) => {
  const dir = temporaryFolder(t, "descriptors");
  const port = await freePort();
  // Node raises its soft limit to the hard one, so both are set.
  const start = `ulimit -n 150; exec "$@"`;
  const directives = ["--port", String(port), "--bind", "127.0.0.1", "--dir", dir, "--save", ""];
  const args = ["-c", start, "sh", process.execPath, everkeyProgram(), "server", ...directives];
  const server = await ChildServer.launch({ name: "everkey", command: "sh", args, port, dir, ownsDir: false });
  t.after(() => server.stop());
  const client = await server.connect();
  t.after(() => client.close());
  for (let round = 0; round < 3; round++) {
    const sockets = await Promise.all(Array.from({ length: 200 }, () => silentSocket(t, port)));
    assert.equal(await client.ask("SET", "round", round), "OK");
    for (const socket of sockets) socket.destroy();
    await waitUntil("all are gone", async () => (await info(client, "clients", "connected_clients")) === 1);
  }
  const later = await RawClient.connect(port);
  assert.equal(await later.ask("GET", "round"), "2");
  later.close();
});

test("a client that kills itself and others in the middle of a pipeline leaves the server in order", async (t) => {
  const { server, client } = await started(t);
  const victim = await server.connect();
  const victimId = await victim.ask("CLIENT", "ID");
  const killer = await server.connect();
  const killerId = await killer.ask("CLIENT", "ID");
  const [before, killed, self] = await killer.pipeline([
    ["SET", "before", 1],
    ["CLIENT", "KILL", "ID", String(victimId)],
    ["CLIENT", "KILL", "ID", String(killerId), "SKIPME", "no"],
    ["SET", "after", 1],
  ]);
  assert.deepEqual([before, killed, self].map(String), ["+OK\r\n", ":1\r\n", ":1\r\n"]);
  await victim.untilClosed();
  await killer.untilClosed();
  assert.equal(await client.ask("EXISTS", "before"), 1);
  assert.equal(await client.ask("EXISTS", "after"), 0, "nothing is served behind its own end");
});

test("a unix socket is there while the server runs, and its file goes with it", async (t) => {
  const dir = temporaryFolder(t, "socket");
  const path = join(dir, "everkey.sock");
  const server = await startEverkey({ dir, directives: { unixsocket: path, unixsocketperm: "700" } });
  t.after(() => server.kill());
  const client = await RawClient.connect({ path });
  assert.equal(await client.ask("PING"), "PONG");
  client.close();
  await server.stop();
  assert.equal(existsSync(path), false);
});

test("a port that another server has stops the start with one line that says what to do", async (t) => {
  const { server } = await started(t);
  const directives = ["--port", String(server.port), "--bind", "127.0.0.1", "--dir", temporaryFolder(t), "--save", ""];
  const second = await runTool(process.execPath, [everkeyProgram(), "server", ...directives]);
  assert.equal(second.code, 1);
  assert.match(second.stdout, /Address already in use; another server uses it: stop that one or choose another port/);
});
