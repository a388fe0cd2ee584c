/**
 * A real redis-server and Everkey side by side, from a file's or a suite's first test to its last.
 *
 *      pairOfServers     Everkey inside the test's process, one client each: both(...), equal(...)
 *      pairOfPrograms    the subject under test as a child process: what EVERKEY_TEST_SUBJECT names
 *
 *  I1  Call them at the top of a file or of a `describe`: they register its `before` and `after` themselves.
 *  I2  Whatever has been started is stopped at the end, also when the rest did not start.
 */
import assert from "node:assert/strict";
import { after, before } from "node:test";
import type { ChildServer } from "./child-server.ts";
import { type EmbeddedServer, startEverkeyInProcess, startSubject } from "./everkey.ts";
import { type Argument, RawClient } from "./raw-client.ts";
import { startRedis } from "./redis.ts";
import { createFolder, removeFolder } from "./temp.ts";

/** Both servers with a client each; the fields are there from the first test on. */
export class PairOfServers {
  ours!: RawClient;
  theirs!: RawClient;
  private readonly endings: (() => unknown)[] = [];

  async start(name: string, directives: Readonly<Record<string, string>>): Promise<void> {
    const redis = await startRedis();
    this.endings.push(() => redis.stop());
    const folder = createFolder(name);
    this.endings.push(() => removeFolder(folder));
    const everkey: EmbeddedServer = await startEverkeyInProcess(folder, directives);
    this.endings.push(() => everkey.close());
    this.theirs = await redis.connect();
    this.endings.push(() => this.theirs.close());
    this.ours = await RawClient.connect(everkey.port);
    this.endings.push(() => this.ours.close());
  }

  async stop(): Promise<void> {
    for (const end of this.endings.reverse()) await end();
  }

  /** The raw replies of both to the same command, as latin1; "(closed)" where the connection ended. */
  readonly both = async (...args: Argument[]): Promise<readonly [ours: string, theirs: string]> => {
    const [own, real] = await Promise.all([this.ours.call(...args), this.theirs.call(...args)]);
    return [own?.toString("latin1") ?? "(closed)", real?.toString("latin1") ?? "(closed)"];
  };

  /** Asserts that both give the same bytes, and returns them. */
  readonly equal = async (...args: Argument[]): Promise<string> => {
    const [own, real] = await this.both(...args);
    assert.equal(own, real, args.map(String).join(" "));
    return own;
  };
}

/** Starts both before the first test and stops them after the last. `directives` are Everkey's. */
export function pairOfServers(name: string, directives: Readonly<Record<string, string>> = {}): PairOfServers {
  const pair = new PairOfServers();
  before(() => pair.start(name, directives));
  after(() => pair.stop());
  return pair;
}

/** The real server and the subject as programs; the fields are there from the first test on. */
export function pairOfPrograms(): { readonly redis: ChildServer; readonly subject: ChildServer } {
  const pair: { redis?: ChildServer; subject?: ChildServer } = {};
  before(async () => {
    pair.redis = await startRedis();
    pair.subject = await startSubject();
  });
  after(async () => {
    await Promise.all([pair.redis?.stop(), pair.subject?.stop()]);
  });
  return pair as { redis: ChildServer; subject: ChildServer };
}
