/**
 * A server without a head: keyspace, commands and scripts, but no socket, no clock, no disk of its own. It executes what
 * a log holds, at the times that the log names, and gives the state that comes of it.
 *
 *      base (RDB) ──► loadBase ──┐
 *      commands   ──► replayer ──┴──► keyspace ──► snapshot
 *
 *  I1  Time is what the replay says: nothing here asks a clock.
 *  I2  No limit of a configuration holds: what a server could hold once is held here, too.
 */

import { dataCommands } from "../commands/all.ts";
import { CommandContext } from "../commands/command.ts";
import type { Clock, DiskFile, Random } from "../core/host.ts";
import { KeyHash } from "../core/sip-hash.ts";
import { SnapshotLoader } from "../history/snapshot/snapshot-loader.ts";
import { ReplyWriter } from "../protocol/reply-writer.ts";
import { RequestReader } from "../protocol/request-reader.ts";
import { CommandIndex } from "../session/command-index.ts";
import { Dispatcher } from "../session/dispatcher.ts";
import { Replayer } from "../session/replayer.ts";
import { Session } from "../session/session.ts";
import { Keyspace } from "../store/keyspace/keyspace.ts";
import { REDIS_VERSION } from "./version.ts";

/** More than anybody uses: which ones a log speaks of is not known before it is read (I2). */
const DATABASE_COUNT = 1024;
const STRING_BYTES_MAX = 512 * 1024 * 1024;

/** What a headless server needs of the world. */
export interface HeadlessHost {
  readonly random: Random;
  luaModule(): Uint8Array;
}

export class Headless {
  readonly keyspace: Keyspace;
  readonly commands: CommandIndex;
  readonly replayer: Replayer;
  private readonly session: Session;
  private readonly context: CommandContext;

  constructor(host: HeadlessHost) {
    const { random } = host;
    this.keyspace = new Keyspace(new KeyHash(random.uint32(), random.uint32()), DATABASE_COUNT);
    this.keyspace.clock.setRandom(() => random.uint32());
    this.session = new Session({
      clock: new StoppedClock(this.keyspace),
      luaModule: () => host.luaModule(),
      identity: { version: REDIS_VERSION, mode: "standalone", role: () => "master" },
      log: () => undefined,
    });
    const reader = new RequestReader();
    this.commands = new CommandIndex({ ...dataCommands(), ...this.session.commands() });
    this.context = new CommandContext(
      reader.request,
      new ReplyWriter(),
      this.keyspace,
      random,
      { id: 0, databaseIndex: 0 },
      { stringBytesMax: STRING_BYTES_MAX },
    );
    const { gates } = this.session;
    const clock = this.session.clock;
    const dispatcher = new Dispatcher(this.context, reader, this.commands, clock, gates, this.session);
    this.session.attach(dispatcher);
    this.replayer = new Replayer(dispatcher, this.session.scripting);
  }

  /**
   * Loads a base into the empty keyspace, keys whose time is over included: the log says when they went. `timeMs`: the
   * moment of the base. Throws RdbFault, DiskFault, ArenaExhausted.
   */
  loadBase(file: DiskFile, timeMs: number, onAuxiliary: (name: string, value: string) => void = () => undefined): void {
    const { replayer, keyspace, session } = this;
    replayer.setTime(timeMs);
    replayer.begin();
    try {
      const loader = new SnapshotLoader(keyspace, file, {
        totalBytes: file.size(),
        verifyChecksum: true,
        mayReplace: false,
        onFunction: (code) => {
          const outcome = session.functions.load(code, false);
          return typeof outcome === "string" ? outcome : undefined;
        },
        onAuxiliary,
      });
      loader.step(() => false);
    } finally {
      replayer.end();
    }
  }

  /** The code of each function library. */
  functions(): Uint8Array[] {
    return this.session.functions.all().map((library) => library.code);
  }
}

/** Shows the time at which the replay stands; nothing is ever put off. */
class StoppedClock implements Clock {
  private readonly keyspace: Keyspace;

  constructor(keyspace: Keyspace) {
    this.keyspace = keyspace;
  }

  nowMs(): number {
    return this.keyspace.nowMs;
  }

  monotonicMs(): number {
    return 0;
  }

  after(): { cancel(): void } {
    return { cancel: () => undefined };
  }

  soon(): void {}
}
