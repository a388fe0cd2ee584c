/**
 * Clients over TLS, as people use them: redis-cli, redis-benchmark, ioredis, node-redis, and certificates that are renewed.
 */
import assert from "node:assert/strict";
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { Authority, saveCertificates, saveIdentity } from "../support/certificates.ts";
import { type ChildServer, freePort } from "../support/child-server.ts";
import { type EmbeddedServer, everkeyProgram, startEverkey, startEverkeyInProcess } from "../support/everkey.ts";
import { encodeCommand, RawClient } from "../support/raw-client.ts";
import { redisCli, runTool } from "../support/redis.ts";
import { createFolder, removeFolder, temporaryFolder } from "../support/temp.ts";
import { waitUntil } from "../support/wait.ts";

const folder = createFolder("tls");
const path = (name: string): string => join(folder, name);
const read = (name: string): string => readFileSync(path(name), "utf8");
const directives = {
  "tls-cert-file": path("server.crt"),
  "tls-key-file": path("server.key"),
  "tls-ca-cert-file": path("ca.crt"),
};

before(() => saveCertificates(folder));
after(() => removeFolder(folder));

/** What a client of ours needs. */
const trusted = () => ({ ca: read("ca.crt"), cert: read("client.crt"), key: read("client.key") });

/** The name in the certificate that a port shows. */
function shownName(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connectTls({ port, host: "127.0.0.1", ...trusted() }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.once("error", reject);
  });
}

describe("a server with tls-port", () => {
  let server: ChildServer;
  let tlsPort: number;
  let tool: string[];

  before(async () => {
    tlsPort = await freePort();
    server = await startEverkey({ directives: { ...directives, "tls-port": tlsPort } });
    tool = ["-p", String(tlsPort), "--tls", "--cacert", path("ca.crt")];
    tool.push("--cert", path("client.crt"), "--key", path("client.key"));
  });

  after(() => server?.stop());

  const open = () => RawClient.connect({ port: tlsPort, tls: trusted() });

  test("answers redis-cli", async () => {
    const result = await runTool("redis-cli", [...tool, "SET", "tls:key", "value"]);
    assert.equal(result.stdout, "OK\n", result.stderr);
    assert.equal((await runTool("redis-cli", [...tool, "-3", "GET", "tls:key"])).stdout, "value\n");
    let mass = "";
    for (let index = 0; index < 3000; index++) mass += encodeCommand(["SET", `tls:mass:${index}`, "x"]);
    assert.match((await runTool("redis-cli", [...tool, "--pipe"], mass)).stdout, /errors: 0, replies: 3000/);
  });

  test("gives redis-cli without a certificate nothing", async () => {
    const bare = ["-p", String(tlsPort), "--tls", "--cacert", path("ca.crt"), "PING"];
    const result = await runTool("redis-cli", bare);
    assert.doesNotMatch(result.stdout, /PONG/);
    assert.match(result.stdout + result.stderr, /closed|reset|alert/i);
  });

  for (const pipelined of [1, 16]) {
    test(`answers all of redis-benchmark's requests, ${pipelined} at a time`, async () => {
      const args = [...tool, "-q", "-t", "get,set,incr,mset,lrange_100", "-n", "2000", "-P", String(pipelined)];
      const result = await runTool("redis-benchmark", args);
      assert.equal(result.code, 0, result.stderr);
      for (const name of ["SET", "GET", "INCR", "MSET", "LRANGE_100"]) {
        assert.match(result.stdout, new RegExp(`${name}[^\\r\\n]*: [\\d.]+ requests per second`), name);
      }
      assert.doesNotMatch(result.stdout + result.stderr, /error/i);
    });
  }

  test("serves ioredis: pipelines, large values, blocking and messages", async () => {
    const client = new Redis({ host: "127.0.0.1", port: tlsPort, tls: trusted() });
    const other = new Redis({ host: "127.0.0.1", port: tlsPort, tls: trusted() });
    const pipeline = client.pipeline();
    for (let index = 0; index < 5000; index++) pipeline.set(`io:${index}`, index).get(`io:${index}`);
    const replies = await pipeline.exec();
    for (let index = 0; index < 5000; index++) assert.deepEqual(replies![index * 2 + 1], [null, String(index)]);
    const value = Buffer.alloc(24 << 20, "0123456789abcdef");
    value[12_345_678] = 0xff;
    await client.set("io:large", value);
    assert.ok((await client.getBuffer("io:large"))?.equals(value));
    const popped = other.blpop("io:list", 0);
    await client.rpush("io:list", "item");
    assert.deepEqual(await popped, ["io:list", "item"]);
    client.disconnect();
    other.disconnect();
  });

  test("serves node-redis", async () => {
    const client = createClient({ socket: { host: "127.0.0.1", port: tlsPort, tls: true, ...trusted() }, RESP: 3 });
    client.on("error", () => undefined); // shown by the call that fails
    await client.connect();
    assert.equal(await client.set("node", "grüße"), "OK");
    assert.equal(await client.get("node"), "grüße");
    client.destroy();
  });

  test("many small messages and large replies reach a slow reader in order", async () => {
    const subscriber = await open();
    const publisher = await open();
    await subscriber.ask("HELLO", "3");
    subscriber.write(encodeCommand(["SUBSCRIBE", "channel"]));
    await waitUntil("it is subscribed", () => subscriber.pushes.length === 1);
    const large = "x".repeat(300_000);
    const sent = Array.from({ length: 3000 }, (_, index) => (index % 500 === 7 ? `${index}:${large}` : `${index}`));
    await publisher.pipeline(sent.map((text) => ["PUBLISH", "channel", text]));
    await waitUntil("all have come", () => subscriber.pushes.length > sent.length);
    const got = subscriber.pushes.slice(-sent.length).map((push) => push.toString("latin1").split("\r\n").at(-2));
    assert.deepEqual(got, sent);
    subscriber.close();
    publisher.close();
  });

  test("who says all and closes its side still gets every reply", async () => {
    const client = await open();
    await client.ask("SET", "half", Buffer.alloc(8 << 20, "x"));
    client.close();
    const bytes = await new Promise<number>((resolve, reject) => {
      let count = 0;
      // Node's types do not know the first one.
      const options = { allowHalfOpen: true, port: tlsPort, host: "127.0.0.1", ...trusted() };
      const socket = connectTls(options, () => socket.end(encodeCommand(["GET", "half"])));
      socket.on("data", (chunk: Buffer) => {
        count += chunk.length;
      });
      socket.once("end", () => resolve(count));
      socket.once("error", reject);
    });
    assert.equal(bytes, (8 << 20) + "$8388608\r\n\r\n".length);
  });

  test("QUIT and CLIENT KILL end the connection after their reply", async () => {
    const client = await open();
    assert.deepEqual(String((await client.pipeline([["QUIT"]]))[0]), "+OK\r\n");
    await client.untilClosed();
    const killed = await open();
    const id = await killed.ask("CLIENT", "ID");
    assert.match(
      String(await killed.ask("CLIENT", "INFO")),
      new RegExp(`addr=127\\.0\\.0\\.1:\\d+ laddr=127.0.0.1:${tlsPort} fd=\\d+ `),
    );
    assert.equal(await redisCli(server, ["CLIENT", "KILL", "ID", String(id)]), "1");
    await killed.untilClosed();
  });

  test("hundreds of broken handshakes leave nothing behind but a line each", async () => {
    const plain = await server.connect();
    // Connected is not yet accepted: its own descriptor would be counted as one too many.
    await plain.ask("PING");
    const descriptors = (): number => readdirSync(`/proc/${server.pid}/fd`).length;
    const lines = (): number => server.log().split("Error accepting a client connection").length;
    const beforeCount = descriptors();
    const beforeLines = lines();
    const words = ["PING\r\n", "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x00\x05hello", "\x00"];
    const visits = Array.from({ length: 300 }, (_, index) => {
      return new Promise<void>((resolve) => {
        const socket = connect(tlsPort, "127.0.0.1", () => socket.end(words[index % words.length]!, "latin1"));
        socket.resume();
        socket.on("error", () => undefined);
        socket.once("close", () => resolve());
      });
    });
    await Promise.all(visits);
    await waitUntil("their descriptors are free", () => descriptors() <= beforeCount);
    await waitUntil("each has its line", () => lines() >= beforeLines + 300);
    await waitUntil("nobody else is there", async () =>
      /connected_clients:1\r/.test(String(await plain.ask("INFO", "clients"))),
    );
    plain.close();
  });

  test("a renewed certificate is shown to those who come, and those who are there stay", async (context) => {
    const own = temporaryFolder(context, "renewal");
    for (const name of ["server", "next"]) {
      for (const kind of ["crt", "key"]) copyFileSync(path(`${name}.${kind}`), join(own, `${name}.${kind}`));
    }
    const client = await open();
    const files = ["tls-cert-file", join(own, "server.crt"), "tls-key-file", join(own, "server.key")];
    assert.equal(await client.ask("CONFIG", "SET", ...files), "OK");
    assert.equal(await shownName(tlsPort), "server");
    // The same names with other contents, as a renewing program leaves them.
    copyFileSync(join(own, "next.crt"), join(own, "server.crt"));
    await assert.rejects(client.ask("CONFIG", "SET", "tls-cert-file", join(own, "server.crt")), {
      message: /Unable to update TLS configuration\. Check server logs\./,
    });
    assert.equal(await shownName(tlsPort), "server", "certificate and key do not belong together yet");
    copyFileSync(join(own, "next.key"), join(own, "server.key"));
    assert.equal(await client.ask("CONFIG", "SET", "tls-cert-file", join(own, "server.crt")), "OK");
    assert.equal(await shownName(tlsPort), "next");
    assert.equal(await client.ask("PING"), "PONG");
    // The key of another authority's client is trusted as soon as the authority is.
    writeFileSync(join(own, "both.crt"), read("ca.crt") + read("other.crt"));
    assert.equal(await client.ask("CONFIG", "SET", "tls-ca-cert-file", join(own, "both.crt")), "OK");
    const stranger = { ca: read("ca.crt"), cert: read("stranger.crt"), key: read("stranger.key") };
    const newcomer = await RawClient.connect({ port: tlsPort, tls: stranger });
    assert.equal(await newcomer.ask("PING"), "PONG");
    newcomer.close();
    const initial = Object.entries(directives).flat();
    assert.equal(await client.ask("CONFIG", "SET", ...initial), "OK");
    client.close();
  });

  test("sessions are resumed, or not, as tls-session-caching says", async () => {
    const visit = (session: Buffer | undefined): Promise<{ isReused: boolean; session: Buffer }> =>
      new Promise((resolve, reject) => {
        let next: Buffer | undefined;
        const options = { port: tlsPort, host: "127.0.0.1", maxVersion: "TLSv1.2" as const, ...trusted() };
        const socket = connectTls({ ...options, ...(session === undefined ? {} : { session }) }, () =>
          socket.write("PING\r\n"),
        );
        socket.once("session", (bytes: Buffer) => {
          next = bytes;
        });
        socket.once("data", () => {
          resolve({ isReused: socket.isSessionReused(), session: next ?? session ?? Buffer.alloc(0) });
          socket.destroy();
        });
        socket.once("error", reject);
      });
    const first = await visit(undefined);
    assert.equal((await visit(first.session)).isReused, true);
    assert.equal(await redisCli(server, ["CONFIG", "SET", "tls-session-caching", "no"]), "OK");
    const second = await visit(undefined);
    assert.equal((await visit(second.session)).isReused, false);
    assert.equal(await redisCli(server, ["CONFIG", "SET", "tls-session-caching", "yes"]), "OK");
  });
});

describe("TLS inside a program", () => {
  test("two servers with TLS alone show their own certificates, and a key with a password is opened", async (context) => {
    const only = { ...directives, port: false, "tls-port": 0 };
    const locked = {
      "tls-cert-file": path("locked.crt"),
      "tls-key-file": path("locked.key"),
      "tls-key-file-pass": "open sesame",
    };
    const first = await startEverkeyInProcess(temporaryFolder(context, "tls"), only);
    context.after(() => first.close());
    const second = await startEverkeyInProcess(temporaryFolder(context, "tls"), { ...only, ...locked });
    context.after(() => second.close());
    const ports = [first, second].map(({ url }) => Number(new URL(url).port));
    assert.ok(first.url.startsWith("rediss://127.0.0.1:"), first.url);
    assert.equal(first.port, 0);
    assert.deepEqual(await Promise.all(ports.map(shownName)), ["server", "locked"]);
    const client = new Redis(first.url, { tls: trusted() });
    assert.equal(await client.set("key", "value"), "OK");
    assert.match(await client.info("server"), new RegExp(`listener0:name=tls,bind=127\\.0\\.0\\.1,port=${ports[0]}\r`));
    client.disconnect();
  });

  test("closes although a handshake has only begun", async (context) => {
    const options = { ...directives, port: false, "tls-port": 0 };
    const server: EmbeddedServer = await startEverkeyInProcess(temporaryFolder(context, "tls"), options);
    const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.on("error", () => undefined);
    await new Promise((resolve) => socket.once("connect", resolve));
    await server.close();
    await closed;
  });

  test("authorities come from a directory, too", async (context) => {
    const own = temporaryFolder(context, "authorities");
    const another = new Authority("one more");
    writeFileSync(join(own, "a.pem"), read("ca.crt"));
    writeFileSync(join(own, "b.pem"), another.certificate);
    writeFileSync(join(own, "notes.txt"), "no certificate");
    saveIdentity(own, "client", another.issue("client"));
    const server = await startEverkeyInProcess(temporaryFolder(context, "tls"), {
      ...directives,
      "tls-ca-cert-file": "",
      "tls-ca-cert-dir": own,
      port: false,
      "tls-port": 0,
    });
    context.after(() => server.close());
    const tls = { ca: read("ca.crt"), ...identityIn(own, "client") };
    const client = await RawClient.connect({ port: Number(new URL(server.url).port), tls });
    assert.equal(await client.ask("PING"), "PONG");
    client.close();
  });

  function identityIn(place: string, name: string): { cert: string; key: string } {
    const text = (kind: string): string => readFileSync(join(place, `${name}.${kind}`), "utf8");
    return { cert: text("crt"), key: text("key") };
  }
});

test("a start with settings that cannot work ends with one line that names the file", async (context) => {
  const dir = temporaryFolder(context, "tls");
  const port = String(await freePort());
  const args = [everkeyProgram(), "server", "--port", "0", "--tls-port", port, "--bind", "127.0.0.1", "--dir", dir];
  const files = ["--tls-key-file", path("server.key"), "--tls-ca-cert-file", path("ca.crt")];
  for (const [certificate, reason] of [
    ["garbage.crt", "no start line"],
    ["client.crt", "key values mismatch"],
    ["nothing.crt", "No such file or directory"],
  ] as const) {
    const result = await runTool(process.execPath, [...args, ...files, "--tls-cert-file", path(certificate)]);
    assert.equal(result.code, 1);
    assert.match(result.stdout, new RegExp(`Failed to configure TLS: .*${reason}`), result.stdout);
  }
});
