/**
 * A whole server in a world without time, sockets, threads or a real disk: every run is the same, no test sleeps.
 *
 *      VirtualHost   clock, random (seeded), disk, net, background      one process of the machine
 *      VirtualServer a Server on it: start(), connect(), advance()      what a test talks to
 *
 *  I1  Nothing happens by itself: `advance`, `settle` and the peers' calls move the world.
 *  I2  Background jobs run in this thread, between turns; what they are sent is cloned as another thread would get it.
 */

import type {
  Background,
  BackgroundJob,
  Connection,
  ConnectionHandler,
  CpuSeconds,
  Host,
  Listener,
  ListenOptions,
  Net,
  Random,
  TlsContext,
  TlsSettings,
} from "../../src/core/host.ts";
import { persistenceJob, type ToPersistenceJob } from "../../src/persistence/background-job.ts";
import { Config } from "../../src/server/config/config.ts";
import { readConfiguration } from "../../src/server/config/parser.ts";
import { readLuaModule } from "../../src/server/host/lua-module.ts";
import { Log } from "../../src/server/log.ts";
import { Server } from "../../src/server/server.ts";
import { FakeConnection, FakePeer, VirtualClock } from "../../src/session/testing.ts";
import { SeededRandom } from "./seed.ts";
import type { VirtualDisk } from "./virtual-disk.ts";

class VirtualRandom implements Random {
  private readonly seeded: SeededRandom;

  constructor(seed: number) {
    this.seeded = new SeededRandom(seed);
  }

  uint32(): number {
    return this.seeded.uint32();
  }

  fill(target: Uint8Array): void {
    for (let index = 0; index < target.length; index++) target[index] = this.seeded.below(256);
  }
}

class VirtualNet implements Net {
  accept: ((connection: Connection) => ConnectionHandler) | undefined;

  async listen(options: ListenOptions, accept: (connection: Connection) => ConnectionHandler): Promise<Listener> {
    this.accept = accept;
    const close = async (): Promise<void> => {
      this.accept = undefined;
    };
    return { port: options.port ?? 0, stopListening: close, close };
  }

  secure(settings: TlsSettings): TlsContext {
    return { settings };
  }
}

/** The one job there is, in this thread: each message is handled in a turn of its own. */
class VirtualBackground implements Background {
  private readonly host: VirtualHost;
  /** Messages wait while this is true. */
  isHeld = false;
  private readonly held: (() => void)[] = [];

  constructor(host: VirtualHost) {
    this.host = host;
  }

  prepare(): void {}

  close(): void {}

  release(): void {
    this.isHeld = false;
    for (const task of this.held.splice(0)) task();
  }

  get heldCount(): number {
    return this.held.length;
  }

  /** Lets one of the messages go on. */
  step(): void {
    this.held.shift()?.();
  }

  start(): BackgroundJob {
    let receive: (message: unknown) => void = () => undefined;
    const { clock, disk } = this.host;
    const job = persistenceJob(disk, (message, transfer = []) => {
      const arrived = structuredClone(message, { transfer });
      clock.soon(() => receive(arrived));
    });
    return {
      post: (message, transfer = []) => {
        const arrived = structuredClone(message, { transfer }) as ToPersistenceJob;
        const task = (): void => clock.soon(() => job(arrived));
        if (this.isHeld) this.held.push(task);
        else task();
      },
      onMessage: (listener) => {
        receive = listener;
      },
      onFailure: () => undefined,
      end: () => undefined,
    };
  }
}

export class VirtualHost implements Host {
  readonly clock = new VirtualClock();
  readonly random: Random;
  readonly disk: VirtualDisk;
  readonly net = new VirtualNet();
  readonly background: VirtualBackground;
  readonly processId = 4711;
  readonly system = { name: "virtual", executable: "everkey", runtimeVersion: "v0", memoryBytes: 2 ** 34 };

  constructor(disk: VirtualDisk, seed: number) {
    this.disk = disk;
    disk.later = (task) => this.clock.soon(task);
    this.random = new VirtualRandom(seed);
    this.background = new VirtualBackground(this);
  }

  residentBytes(): number {
    return 0;
  }

  heapBytes(): { used: number; reserved: number } {
    return { used: 0, reserved: 0 };
  }

  cpuSeconds(): CpuSeconds {
    return { system: 0, user: 0, mainThreadSystem: 0, mainThreadUser: 0 };
  }

  block(): void {}

  luaModule(): Uint8Array {
    return readLuaModule();
  }

  /** Lets everything that is under way come to its end, without time passing. */
  async settle<Result>(promise: Promise<Result>): Promise<Result> {
    let isSettled = false;
    const settled = (): void => {
      isSettled = true;
    };
    promise.then(settled, settled);
    while (!isSettled) {
      this.clock.runSoon();
      await new Promise((resolve) => setImmediate(resolve));
    }
    return promise;
  }
}

export interface VirtualServerOptions {
  readonly disk: VirtualDisk;
  readonly seed?: number;
  /** Words of a command line: "--save", "60 1". */
  readonly directives?: readonly string[];
}

/** Data lies in /data. */
export class VirtualServer {
  readonly host: VirtualHost;
  readonly server: Server;
  /** Lines of the log. */
  readonly lines: string[] = [];
  private connections = 0;

  constructor({ disk, seed = 1, directives = [] }: VirtualServerOptions) {
    if (disk.status("/data") === undefined) disk.makeDirectory("/data");
    this.host = new VirtualHost(disk, seed);
    const config = new Config({ workingDirectory: "/data" });
    const failure = readConfiguration(config, disk, { commandLine: [...directives], version: "0" });
    if (failure !== undefined) throw new Error(failure.report);
    const log = new Log(this.host.clock, disk, this.host.processId, (text) => this.lines.push(text));
    this.server = new Server({ host: this.host, config, log, configFile: undefined });
  }

  /** Rejects with StartFailure. */
  start(): Promise<void> {
    return this.host.settle(this.server.start());
  }

  stop(): Promise<void> {
    return this.host.settle(this.server.close());
  }

  connect(): FakePeer {
    const { accept } = this.host.net;
    if (accept === undefined) throw new Error("nobody listens");
    const connection = new FakeConnection(++this.connections, {});
    return new FakePeer(connection, accept(connection), this.host.clock);
  }

  /** Lets time pass; timers run in their order. */
  advance(byMs: number): void {
    for (let left = byMs; left > 0; left -= 50) this.host.clock.advance(Math.min(left, 50));
  }

  /** Log lines that contain `part`. */
  logged(part: string): number {
    return this.lines.filter((line) => line.includes(part)).length;
  }
}
