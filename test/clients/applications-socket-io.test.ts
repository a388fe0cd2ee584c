/**
 * Socket.IO: two web servers that speak to each other through the started server, by pub/sub, sharded pub/sub or a
 * stream, each with ioredis and with node-redis.
 *
 *      client a ──► server a ──┐                        ┌── server b ◄── client b
 *                              └──► Everkey ◄───────────┘
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { createAdapter, createShardedAdapter } from "@socket.io/redis-adapter";
import { createAdapter as createStreamsAdapter } from "@socket.io/redis-streams-adapter";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { Server, type ServerOptions } from "socket.io";
import { io as connect, type Socket } from "socket.io-client";
import type { ChildServer } from "../support/child-server.ts";
import { startSubject } from "../support/everkey.ts";
import { waitUntil } from "../support/wait.ts";

type Adapter = Exclude<ServerOptions["adapter"], undefined>;

/** Ends what would hang, and counts nobody as lost because the machine is busy. */
const TIMEOUT_MS = 60_000;

/** A connection and the way to end it. */
interface Link {
  readonly client: unknown;
  close(): Promise<void>;
}

const LIBRARIES: Record<string, (server: ChildServer) => Promise<Link>> = {
  async ioredis(server) {
    const client = new Redis({ port: server.port, host: server.host });
    return { client, close: async () => client.disconnect() };
  },
  async "node-redis"(server) {
    const client = createClient({ socket: { port: server.port, host: server.host } });
    client.on("error", () => {}); // shown by the call that fails
    await client.connect();
    return { client, close: () => client.close() };
  },
};

/** Makes the adapter of one web server from two connections. */
const WAYS: Record<string, (publisher: unknown, subscriber: unknown) => Adapter> = {
  "redis-adapter": (publisher, subscriber) =>
    createAdapter(publisher, subscriber, { requestsTimeout: TIMEOUT_MS }) as unknown as Adapter,
  "redis-adapter, sharded": (publisher, subscriber) =>
    createShardedAdapter(publisher, subscriber) as unknown as Adapter,
  "redis-streams-adapter": (publisher) =>
    createStreamsAdapter(publisher, {
      heartbeatInterval: 200,
      heartbeatTimeout: TIMEOUT_MS,
      blockTimeInMs: 200,
    }) as unknown as Adapter,
};

for (const [way, makeAdapter] of Object.entries(WAYS)) {
  for (const [library, open] of Object.entries(LIBRARIES)) {
    describe(`socket.io with ${way} and ${library}`, () => {
      /** Whether clients that were away get what they missed; each event then carries its place in the stream. */
      const recovers = way === "redis-streams-adapter";
      const withoutPlace = (said: unknown[]) => (recovers ? said.slice(0, -1) : said);
      let server: ChildServer;
      let plain: Redis;
      const links: Link[] = [];
      const sites: HttpServer[] = [];
      const servers: Server[] = [];
      const clients: Socket[] = [];
      const address = (index: number) => `http://127.0.0.1:${(sites[index]!.address() as AddressInfo).port}`;
      /** What each client hears next under `event`. */
      const heard = (event: string): Promise<unknown[][]> =>
        Promise.all(
          clients.map(
            (client) => new Promise<unknown[]>((done) => client.once(event, (...said) => done(withoutPlace(said)))),
          ),
        );

      before(async () => {
        server = await startSubject();
        plain = new Redis({ port: server.port, host: server.host });
        for (let index = 0; index < 2; index++) {
          const publisher = await open(server);
          const subscriber = await open(server);
          links.push(publisher, subscriber);
          const site = createServer();
          sites.push(site);
          servers.push(
            new Server(site, {
              adapter: makeAdapter(publisher.client, subscriber.client),
              ...(recovers && { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } }),
              transports: ["websocket"],
            }),
          );
          await new Promise<void>((done) => site.listen(0, "127.0.0.1", done));
        }
        for (const io of servers)
          await waitUntil("the servers know each other", async () => (await io.of("/").adapter.serverCount()) === 2);
        for (let index = 0; index < 2; index++) {
          servers[index]!.on("connection", (socket) => {
            socket.on("say", (...said: unknown[]) => socket.broadcast.emit("said", index, ...said));
          });
          const client = connect(address(index), { transports: ["websocket"], reconnection: false, forceNew: true });
          clients.push(client);
          await new Promise<void>((done, fail) => client.once("connect", done).once("connect_error", fail));
        }
      });

      after(async () => {
        for (const client of clients) client.disconnect();
        for (const io of servers) await io.close();
        for (const link of links) await link.close();
        plain?.disconnect();
        await server?.stop();
      });

      test("what one server emits is heard by the clients of both, in order, bytes included", async () => {
        const orders: number[][] = clients.map(() => []);
        const last = Promise.all(
          clients.map(
            (client, index) =>
              new Promise<void>((done) => {
                client.on("count", (count: number) => {
                  orders[index]!.push(count);
                  if (count === 199) done();
                });
              }),
          ),
        );
        for (let count = 0; count < 200; count++) servers[0]!.emit("count", count);
        await last;
        const expected = Array.from({ length: 200 }, (_, count) => count);
        assert.deepEqual(orders, [expected, expected]);

        const bytes = Buffer.from([0, 13, 10, 255, 36]);
        const replies = heard("bytes");
        servers[1]!.emit("bytes", bytes, { text: "grüße" });
        for (const reply of await replies) assert.deepEqual(reply, [bytes, { text: "grüße" }]);
      });

      test("a client's broadcast reaches the other server's client and not itself", async () => {
        const echoes: unknown[] = [];
        clients[0]!.on("said", (...said) => echoes.push(said));
        const reply = new Promise<unknown[]>((done) => clients[1]!.once("said", (...said) => done(withoutPlace(said))));
        clients[0]!.emit("say", "hello", 1);
        assert.deepEqual(await reply, [0, "hello", 1]);
        // A round trip behind it: had it come back to its sender, it would be there by now.
        const behind = heard("behind");
        servers[0]!.emit("behind");
        await behind;
        assert.deepEqual(echoes, []);
      });

      test("sockets of both servers are found, put into rooms and asked", async () => {
        const ids = clients.map((client) => client.id).sort();
        assert.deepEqual((await servers[0]!.fetchSockets()).map((socket) => socket.id).sort(), ids);
        servers[0]!.in(clients[1]!.id!).socketsJoin("room");
        await waitUntil("it has joined", async () => (await servers[0]!.in("room").fetchSockets()).length === 1);
        const others: string[] = [];
        clients[0]!.on("room", () => others.push("not in the room"));
        const reply = new Promise<string>((done) => clients[1]!.once("room", done));
        servers[0]!.to("room").emit("room", "inside");
        assert.equal(await reply, "inside");
        const behind = heard("behind");
        servers[0]!.emit("behind");
        await behind;
        assert.deepEqual(others, []);
        for (const [index, client] of clients.entries())
          client.on("ask", (factor: number, answer: (value: number) => void) => answer(factor * (index + 1)));
        const answers: number[] = await servers[1]!.timeout(TIMEOUT_MS).emitWithAck("ask", 10);
        assert.deepEqual(
          answers.sort((a, b) => a - b),
          [10, 20],
        );
      });

      test("servers ask each other", async () => {
        servers[1]!.on("sum", (a: number, b: number, answer: (value: number) => void) => answer(a + b));
        assert.deepEqual(await servers[0]!.serverSideEmitWithAck("sum", 40, 2), [42]);
      });

      if (recovers) {
        test("a client that was away gets from the other server what it has missed", async () => {
          const [client] = clients as [Socket];
          const id = client.id;
          const away = once(servers[0]!.sockets.sockets.get(id!)!, "disconnect");
          client.io.engine.close();
          await away;
          await waitUntil("its session is kept", async () => (await plain.keys("sio:session:*")).length === 1);
          const missed: number[] = [];
          client.on("missed", (count: number) => missed.push(count));
          for (let count = 0; count < 5; count++) servers[0]!.emit("missed", count);
          await new Promise<void>((done) => {
            clients[1]!.on("missed", (count: number) => count === 4 && done());
          });
          (client.io as unknown as { uri: string }).uri = address(1);
          const back = new Promise<void>((done) => client.once("connect", done));
          client.connect();
          await back;
          assert.equal(client.recovered, true);
          assert.equal(client.id, id);
          await waitUntil("it has caught up", () => missed.length === 5);
          assert.deepEqual(missed, [0, 1, 2, 3, 4]);
          assert.ok(servers[1]!.sockets.sockets.has(id!));
        });
      }

      test("a socket of the other server is disconnected from here", async () => {
        const gone = new Promise<string>((done) => clients[1]!.once("disconnect", done));
        servers[0]!.in(clients[1]!.id!).disconnectSockets(true);
        assert.match(await gone, /server|transport/);
      });
    });
  }
}
