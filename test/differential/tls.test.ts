/**
 * TLS beside the real server: who gets in, who is told what, and which settings are refused.
 *
 *      certificates (test/support/certificates.ts) ──► both servers ──► the same clients ──► the same ends
 *
 *  I1  Every story names the end it expects, and both servers must come to it.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { ConnectionOptions } from "node:tls";
import { saveCertificates } from "../support/certificates.ts";
import { type ChildServer, freePort } from "../support/child-server.ts";
import { startEverkey } from "../support/everkey.ts";
import { RawClient } from "../support/raw-client.ts";
import { redisCli, startRedis } from "../support/redis.ts";
import { createFolder, removeFolder } from "../support/temp.ts";
import { waitUntil } from "../support/wait.ts";

interface Subject {
  readonly server: ChildServer;
  readonly tlsPort: number;
}

const folder = createFolder("tls");
const subjects: Subject[] = [];
const path = (name: string): string => join(folder, name);
const read = (name: string): string => readFileSync(path(name), "utf8");

before(async () => {
  saveCertificates(folder);
  for (const start of [startRedis, startEverkey]) {
    const tlsPort = await freePort();
    const server = await start({
      directives: {
        "tls-port": tlsPort,
        "tls-cert-file": path("server.crt"),
        "tls-key-file": path("server.key"),
        "tls-ca-cert-file": path("ca.crt"),
      },
    });
    subjects.push({ server, tlsPort });
  }
});

after(async () => {
  await Promise.all(subjects.map(({ server }) => server.stop()));
  removeFolder(folder);
});

/** A client's certificates; `name` undefined shows none. */
function identity(name: string | undefined, ca = "ca"): ConnectionOptions {
  const own = name === undefined ? {} : { cert: read(`${name}.crt`), key: read(`${name}.key`) };
  return { ca: read(`${ca}.crt`), ...own };
}

/** PONG, or that the connection did not come about (in TLS 1.3 a client learns of it when it reads). */
async function ping(port: number, tls: ConnectionOptions): Promise<string> {
  try {
    const client = await RawClient.connect({ port, tls });
    const reply = await client.call("PING");
    client.close();
    return reply?.toString().trim() ?? "refused";
  } catch {
    return "refused";
  }
}

async function configure(...pairs: readonly string[]): Promise<void> {
  for (const { server } of subjects) assert.equal(await redisCli(server, ["CONFIG", "SET", ...pairs]), "OK");
}

const CLIENTS: readonly {
  readonly name: string;
  readonly options: () => ConnectionOptions;
  readonly ends: Readonly<Record<"yes" | "no" | "optional", string>>;
}[] = [
  { name: "a certificate of ours", options: () => identity("client"), ends: all("+PONG") },
  { name: "none", options: () => identity(undefined), ends: { yes: "refused", no: "+PONG", optional: "+PONG" } },
  {
    name: "a stranger's",
    options: () => ({ ...identity("stranger"), rejectUnauthorized: false }),
    ends: { yes: "refused", no: "+PONG", optional: "refused" },
  },
  {
    name: "an expired one",
    options: () => identity("expired"),
    ends: { yes: "refused", no: "+PONG", optional: "refused" },
  },
  { name: "trust in another authority only", options: () => identity("client", "other"), ends: all("refused") },
  {
    name: "TLS 1.1",
    options: () => ({ ...identity("client"), minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "ALL@SECLEVEL=0" }),
    ends: all("refused"),
  },
  {
    name: "TLS 1.2",
    options: () => ({ ...identity("client"), minVersion: "TLSv1.2", maxVersion: "TLSv1.2" }),
    ends: all("+PONG"),
  },
  { name: "TLS 1.3", options: () => ({ ...identity("client"), minVersion: "TLSv1.3" }), ends: all("+PONG") },
  {
    name: "TLS 1.2 and a stranger's",
    options: () => ({ ...identity("stranger"), rejectUnauthorized: false, maxVersion: "TLSv1.2" }),
    ends: { yes: "refused", no: "+PONG", optional: "refused" },
  },
];

function all(end: string): Record<"yes" | "no" | "optional", string> {
  return { yes: end, no: end, optional: end };
}

for (const mode of ["no", "optional", "yes"] as const) {
  test(`with tls-auth-clients ${mode}, the same clients get in`, async () => {
    await configure("tls-auth-clients", mode);
    for (const { name, options, ends } of CLIENTS) {
      for (const { server, tlsPort } of subjects) {
        assert.equal(await ping(tlsPort, options()), ends[mode], `${server.name}: ${name}`);
      }
    }
  });
}

test("who is refused leaves one line, with the same reason", async () => {
  const stories: readonly (readonly [string, (port: number) => Promise<unknown>])[] = [
    ["peer did not return a certificate", (port) => ping(port, identity(undefined))],
    ["certificate verify failed", (port) => ping(port, { ...identity("stranger"), rejectUnauthorized: false })],
    ["certificate verify failed", (port) => ping(port, identity("expired"))],
    ["unsupported protocol", (port) => ping(port, { ...identity("client"), ...OLD })],
    ["wrong version number", (port) => plain(port)],
  ];
  for (const [reason, visit] of stories) {
    for (const { server, tlsPort } of subjects) {
      const lines = (): string[] => server.log().match(/Error accepting a client connection: .*/g) ?? [];
      await untilLogRead(server);
      const before = lines().length;
      await visit(tlsPort);
      await waitUntil(`${server.name} logs: ${reason}`, () => lines().length > before);
      await untilLogRead(server);
      assert.equal(lines().length, before + 1, lines().slice(before).join("\n"));
      assert.match(lines().at(-1)!, new RegExp(`: error:0A[0-9A-F]{6}:SSL routines::${reason}`));
    }
  }
});

/** Waits until all has been read that the server has logged so far: lines come by another way than replies. */
async function untilLogRead(server: ChildServer): Promise<void> {
  const mark = `mark ${Math.random()}`;
  assert.equal(await redisCli(server, ["DEBUG", "LOG", mark]), "OK");
  await waitUntil("the mark is in the log", () => server.log().includes(mark));
}

const OLD: ConnectionOptions = { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "ALL@SECLEVEL=0" };

/** Plain text on the port for TLS: whatever comes back, it is no reply. */
async function plain(port: number): Promise<void> {
  const client = await RawClient.connect(port);
  const reply = await client.call("PING");
  assert.notEqual(reply?.toString(), "+PONG\r\n");
  client.close();
}

test("CONFIG SET refuses what cannot work in the same words, and the old settings stay", async () => {
  const stories: readonly (readonly string[])[] = [
    ["tls-cert-file", path("garbage.crt")],
    ["tls-cert-file", path("nothing.crt")],
    ["tls-cert-file", ""],
    ["tls-key-file", ""],
    ["tls-key-file", path("garbage.crt")],
    ["tls-key-file", path("client.key")],
    ["tls-cert-file", path("client.crt")],
    ["tls-cert-file", path("client.crt"), "tls-key-file", path("next.key")],
    ["tls-ca-cert-file", path("garbage.crt")],
    ["tls-ca-cert-file", path("nothing.crt")],
    ["tls-ca-cert-file", ""],
    ["tls-dh-params-file", path("garbage.crt")],
    ["tls-protocols", "TLSv9"],
    ["tls-protocols", "TLSv1.2 SSLv3"],
    ["tls-ciphers", "nosuch"],
    ["tls-ciphersuites", "nosuch"],
    ["tls-auth-clients", "maybe"],
    ["tls-session-caching", "maybe"],
    ["tls-session-cache-size", "-1"],
    ["tls-session-cache-timeout", "x"],
    ["tls-prefer-server-ciphers", "1"],
    ["tls-port", "65536"],
    ["tls-port", "-1"],
  ];
  for (const pairs of stories) {
    const answers: string[] = [];
    for (const { server, tlsPort } of subjects) {
      answers.push(await redisCli(server, ["CONFIG", "SET", ...pairs]));
      assert.equal(await ping(tlsPort, identity("client")), "+PONG", `${server.name} after ${pairs.join(" ")}`);
      const kept = await redisCli(server, ["CONFIG", "GET", pairs[0]!]);
      assert.doesNotMatch(kept, /garbage|nothing|nosuch|TLSv9|SSLv3|maybe/, server.name);
    }
    assert.match(answers[0]!, /^ERR CONFIG SET failed/);
    assert.equal(answers[1], answers[0], pairs.join(" "));
  }
});

test("a port that is taken is refused in the same words, and both ports go on", async () => {
  for (const name of ["port", "tls-port"]) {
    const answers: string[] = [];
    for (const { server, tlsPort } of subjects) {
      const taken = name === "port" ? tlsPort : server.port;
      answers.push(await redisCli(server, ["CONFIG", "SET", name, String(taken)]));
      assert.equal(await redisCli(server, ["PING"]), "PONG", server.name);
      assert.equal(await ping(tlsPort, identity("client")), "+PONG", server.name);
    }
    assert.match(answers[0]!, /Unable to listen on this port\. Check server logs\./);
    assert.equal(answers[1], answers[0]);
  }
});

test("tls-protocols and ciphers choose who may speak", async () => {
  const only = (version: "TLSv1.2" | "TLSv1.3"): ConnectionOptions => ({
    ...identity("client"),
    minVersion: version,
    maxVersion: version,
  });
  await configure("tls-protocols", "tlsv1.3");
  for (const { server, tlsPort } of subjects) {
    assert.equal(await ping(tlsPort, only("TLSv1.2")), "refused", server.name);
    assert.equal(await ping(tlsPort, only("TLSv1.3")), "+PONG", server.name);
  }
  await configure("tls-protocols", "TLSv1.2", "tls-ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384");
  for (const { server, tlsPort } of subjects) {
    assert.equal(await ping(tlsPort, only("TLSv1.3")), "refused", server.name);
    assert.equal(await ping(tlsPort, only("TLSv1.2")), "+PONG", server.name);
    const other = { ...only("TLSv1.2"), ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256" };
    assert.equal(await ping(tlsPort, other), "refused", server.name);
  }
  await configure("tls-protocols", "", "tls-ciphers", "", "tls-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256");
  for (const { server, tlsPort } of subjects) {
    const other = { ...only("TLSv1.3"), ciphers: "TLS_AES_128_GCM_SHA256" };
    assert.equal(await ping(tlsPort, other), "refused", server.name);
    assert.equal(await ping(tlsPort, only("TLSv1.3")), "+PONG", server.name);
    assert.equal(await ping(tlsPort, only("TLSv1.2")), "+PONG", server.name);
  }
  await configure("tls-ciphersuites", "");
});

test("the listener goes and comes back with tls-port, and INFO tells its number where there is no other", async () => {
  for (const { server, tlsPort } of subjects) {
    assert.equal(await redisCli(server, ["CONFIG", "SET", "tls-port", "0"]), "OK");
    await assert.rejects(RawClient.connect({ port: tlsPort, tls: identity("client") }), { code: "ECONNREFUSED" });
    assert.equal(await redisCli(server, ["CONFIG", "SET", "tls-port", String(tlsPort)]), "OK");
    const client = await RawClient.connect({ port: tlsPort, tls: identity("client") });
    assert.match(String(await client.ask("INFO", "server")), new RegExp(`tcp_port:${server.port}\r`), server.name);
    assert.equal(await client.ask("CONFIG", "SET", "port", "0"), "OK");
    assert.match(String(await client.ask("INFO", "server")), new RegExp(`tcp_port:${tlsPort}\r`), server.name);
    assert.match(String(await client.ask("CLIENT", "LIST")), new RegExp(` laddr=127\\.0\\.0\\.1:${tlsPort} `));
    assert.equal(await client.ask("CONFIG", "SET", "port", String(server.port)), "OK");
    client.close();
    assert.equal(await redisCli(server, ["PING"]), "PONG");
  }
});
