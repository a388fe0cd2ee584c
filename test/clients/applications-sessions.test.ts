/**
 * Sessions of web servers: express-session with connect-redis, over HTTP on the loopback, against a started server.
 */
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { after, before, beforeEach, describe, test } from "node:test";
import { RedisStore } from "connect-redis";
import { createClient } from "redis";
import type { ChildServer } from "../support/child-server.ts";
import { startSubject } from "../support/everkey.ts";

/** What the tests use of express-session, which brings no types. */
interface Session {
  visits?: number;
  cookie: { maxAge: number };
  destroy(done: (fault?: Error) => void): void;
  regenerate(done: (fault?: Error) => void): void;
}
type Request = IncomingMessage & { session: Session; sessionID: string };
type Middleware = (request: Request, response: ServerResponse, next: (fault?: Error) => void) => void;
const session: (options: object) => Middleware = createRequire(import.meta.url)("express-session");

const MAX_AGE_MS = 600_000;

describe("express-session with connect-redis", () => {
  let server: ChildServer;
  const open = () => createClient({ socket: { port: server.port, host: server.host } }).on("error", () => {});
  let client: ReturnType<typeof open>;
  let store: RedisStore;
  const sites: Server[] = [];
  /** Addresses of two web servers that share the store. */
  let first: string;
  let second: string;

  /** A web server that counts visits, and forgets or renews a session when asked. */
  const listen = async (): Promise<string> => {
    const middleware = session({
      store,
      secret: "s",
      resave: false,
      saveUninitialized: false,
      cookie: { maxAge: MAX_AGE_MS },
    });
    const site = createServer((request, response) => {
      const asked = request as Request;
      middleware(asked, response, (fault) => {
        const answer = (wrong?: Error, text = "") => {
          response.statusCode = wrong === undefined || wrong === null ? 200 : 500;
          response.end(wrong?.message ?? text);
        };
        if (fault) return answer(fault);
        if (asked.url === "/leave") return asked.session.destroy(answer);
        if (asked.url === "/renew") {
          return asked.session.regenerate((wrong) => {
            asked.session.visits = 100;
            answer(wrong, "100");
          });
        }
        if (asked.url === "/look") return answer(undefined, String(asked.session.visits));
        asked.session.visits = (asked.session.visits ?? 0) + 1;
        answer(undefined, String(asked.session.visits));
      });
    });
    sites.push(site);
    await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
  };

  /** One request of the visitor whose cookie it is; gives the text and the cookie to go on with. */
  const visit = async (url: string, cookie = ""): Promise<{ text: string; cookie: string }> => {
    const response = await fetch(url, { headers: cookie === "" ? {} : { cookie } });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    const given = response.headers.getSetCookie()[0];
    return { text, cookie: given === undefined ? cookie : given.slice(0, given.indexOf(";")) };
  };

  before(async () => {
    server = await startSubject();
    client = open();
    await client.connect();
    store = new RedisStore({ client, prefix: "web:" });
    first = await listen();
    second = await listen();
  });

  beforeEach(() => client.flushAll());

  after(async () => {
    for (const site of sites) {
      site.closeAllConnections();
      site.close();
    }
    client?.destroy();
    await server?.stop();
  });

  test("a visitor is known again, by any web server of the group", async () => {
    const one = await visit(first);
    const other = await visit(first);
    assert.notEqual(one.cookie, other.cookie);
    assert.equal(one.text, "1");
    for (let count = 2; count <= 20; count++) {
      const { text } = await visit(count % 2 === 0 ? second : first, one.cookie);
      assert.equal(text, String(count));
    }
    assert.equal((await visit(second, other.cookie)).text, "2");
    assert.equal(await client.dbSize(), 2);
  });

  test("a session lasts as long as its cookie, and each visit makes it last anew", async () => {
    const { cookie } = await visit(first);
    const [key] = await client.keys("web:*");
    const seconds = await client.ttl(key!);
    assert.ok(seconds > MAX_AGE_MS / 1000 - 60 && seconds <= MAX_AGE_MS / 1000, String(seconds));
    await client.expire(key!, 20);
    assert.equal((await visit(second, cookie)).text, "2");
    assert.ok((await client.ttl(key!)) > 20, "a changed session was written with its time");
    await client.expire(key!, 20);
    assert.equal((await visit(`${second}/look`, cookie)).text, "2");
    assert.ok((await client.ttl(key!)) > 20, "an unchanged session was touched");
  });

  test("a session that is destroyed, renewed or forgotten by the server is a stranger's", async () => {
    const { cookie } = await visit(first);
    assert.equal((await visit(first, cookie)).text, "2");
    await visit(`${first}/leave`, cookie);
    assert.equal(await client.dbSize(), 0);
    const again = await visit(second, cookie);
    assert.equal(again.text, "1");
    assert.notEqual(again.cookie, cookie);

    const renewed = await visit(`${first}/renew`, again.cookie);
    assert.notEqual(renewed.cookie, again.cookie);
    assert.equal(await client.dbSize(), 1);
    assert.equal((await visit(first, renewed.cookie)).text, "101");

    await client.flushAll();
    assert.equal((await visit(first, renewed.cookie)).text, "1");
  });

  test("the store counts, lists and clears hundreds of sessions and nothing else", async () => {
    await client.set("elsewhere", "1");
    const ids = Array.from({ length: 350 }, (_, index) => `id-${index}`);
    const data = (index: number) => ({ visits: index, cookie: { originalMaxAge: MAX_AGE_MS } });
    await Promise.all(ids.map((id, index) => store.set(id, data(index) as never)));
    assert.equal(await store.length(), 350);
    assert.deepEqual((await store.ids()).sort(), [...ids].sort());
    const all: { id: string; visits: number }[] = await store.all();
    assert.equal(all.length, 350);
    for (const entry of all) assert.equal(entry.id, `id-${entry.visits}`);
    await store.destroy("id-7");
    assert.equal(await store.length(), 349);
    await store.clear();
    assert.equal(await store.length(), 0);
    assert.equal(await client.get("elsewhere"), "1");
  });
});
