/**
 * Stories of several clients, told to the real server and to ours: what each client hears, as raw bytes, must be the same.
 *
 *      story(stage) ──► stage.say(alice, ...)   alice.call(...) while bob waits   stage.hear(bob) ──► told[]
 *
 *  I1  A story goes on when the server shows that the client waits (flags=b) or answers, not after some time.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ChildServer } from "../support/child-server.ts";
import { startSubject } from "../support/everkey.ts";
import { type Argument, encodeCommand, RawClient } from "../support/raw-client.ts";
import { startRedis } from "../support/redis.ts";
import { printable } from "../support/reply.ts";
import { waitUntil } from "../support/wait.ts";

/** Clients of one server, and what they were told. */
export class Stage {
  readonly told: string[] = [];
  readonly boss: RawClient;
  readonly alice: RawClient;
  readonly bob: RawClient;
  readonly carol: RawClient;
  private marks = 0;

  private constructor(clients: readonly RawClient[]) {
    this.boss = clients[0]!;
    this.alice = clients[1]!;
    this.bob = clients[2]!;
    this.carol = clients[3]!;
  }

  static async open(port: number): Promise<Stage> {
    const stage = new Stage(await Promise.all([1, 2, 3, 4].map(() => RawClient.connect(port))));
    await stage.boss.ask("CLIENT", "UNPAUSE");
    await stage.boss.ask("FLUSHALL");
    return stage;
  }

  tell(reply: Buffer | undefined): void {
    this.told.push(reply === undefined ? "(gone)" : printable(reply));
  }

  async say(client: RawClient, ...args: Argument[]): Promise<void> {
    this.tell(await client.call(...args));
  }

  /** All that has been sent to `client` so far: replies that nobody took, then what was pushed. */
  async hear(client: RawClient): Promise<void> {
    const mark = `mark ${++this.marks}`;
    client.write(`*2\r\n$4\r\nPING\r\n$${mark.length}\r\n${mark}\r\n`);
    for (;;) {
      const reply = await client.nextReply();
      if (reply?.includes(mark)) break;
      this.tell(reply);
      if (reply === undefined) break;
    }
    for (const pushed of client.pushes.splice(0)) this.tell(pushed);
  }

  /** Sends commands whose replies may be pushed, or not come; then all that was heard. */
  async order(client: RawClient, ...commands: string[]): Promise<void> {
    client.write(Buffer.concat(commands.map((words) => encodeCommand(words.split(" ")))));
    await this.hear(client);
  }

  /** `name=value` of the client with `id`, as the boss sees it. */
  async field(id: unknown, name: string): Promise<string> {
    const line = String(await this.boss.ask("CLIENT", "LIST", "ID", String(id)));
    return new RegExp(`\\b${name}=\\S*`).exec(line)?.[0] ?? "(none)";
  }

  async untilHeld(id: unknown): Promise<void> {
    await waitUntil("the client waits", async () => (await this.field(id, "flags")) === "flags=b");
    const info = String(await this.boss.ask("INFO", "clients"));
    this.told.push(/blocked_clients:\d+/.exec(info)![0], await this.field(id, "cmd"));
  }

  /** Sends a command that waits; resolves when the server shows that it does, with the promise of its reply. */
  async wait(client: RawClient, ...args: Argument[]): Promise<{ readonly reply: Promise<Buffer | undefined> }> {
    const id = await client.ask("CLIENT", "ID");
    const reply = client.call(...args);
    await this.untilHeld(id);
    return { reply };
  }

  close(): void {
    for (const client of [this.boss, this.alice, this.bob, this.carol]) client.close();
  }
}

export type Stories = Readonly<Record<string, (stage: Stage) => Promise<void>>>;

/** One test for each story. */
export function playStories(title: string, stories: Stories): void {
  describe(title, () => {
    let servers: ChildServer[];

    before(async () => {
      servers = await Promise.all([startRedis(), startSubject()]);
    });

    after(async () => {
      await Promise.all((servers ?? []).map((server) => server.stop()));
    });

    for (const [name, story] of Object.entries(stories)) {
      test(name, async () => {
        const [expected, actual] = await Promise.all(
          servers.map(async (server) => {
            const stage = await Stage.open(server.port);
            await story(stage);
            stage.close();
            return stage.told;
          }),
        );
        assert.ok(expected!.length > 3);
        assert.deepEqual(actual, expected);
      });
    }
  });
}
