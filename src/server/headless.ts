/**
 * A server without a head: keyspace, commands and scripts, but no socket, no clock, no disk of its own. It executes what
 * a log holds, at the times that the log names, and gives the state that comes of it.
 *
 *      Keyspace, Session, Dispatcher with a clock that stands ◄── DispatcherEngine (replay-engine.ts)
 *
 *  I1  Time is what the replay says: nothing here asks a clock.
 *  I2  No limit of a configuration holds: what a server could hold once is held here, too.
 */

import { dataCommands } from "../commands/all.ts";
import { CommandContext } from "../commands/command.ts";
import type { Clock, Random } from "../core/host.ts";
import { KeyHash } from "../core/sip-hash.ts";
import { ReplyWriter } from "../protocol/reply-writer.ts";
import { RequestReader } from "../protocol/request-reader.ts";
import { CommandIndex } from "../session/command-index.ts";
import { Dispatcher } from "../session/dispatcher.ts";
import { Session } from "../session/session.ts";
import { Keyspace } from "../store/keyspace/keyspace.ts";
import { DispatcherEngine } from "./replay-engine.ts";
import { REDIS_VERSION } from "./version.ts";

/** More than anybody uses: which ones a log speaks of is not known before it is read (I2). */
const DATABASE_COUNT = 1024;
const STRING_BYTES_MAX = 512 * 1024 * 1024;

/** What a headless server needs of the world. */
export interface HeadlessHost {
  readonly random: Random;
  luaModule(): Uint8Array;
}

export class Headless extends DispatcherEngine {
  readonly commands: CommandIndex;

  constructor(host: HeadlessHost) {
    const { random } = host;
    const keyspace = new Keyspace(new KeyHash(random.uint32(), random.uint32()), DATABASE_COUNT);
    keyspace.clock.setRandom(() => random.uint32());
    const clock = new StoppedClock(keyspace);
    const session = new Session({
      clock,
      luaModule: () => host.luaModule(),
      identity: { version: REDIS_VERSION, mode: "standalone", role: () => "master" },
      log: () => undefined,
    });
    const reader = new RequestReader();
    const commands = new CommandIndex({ ...dataCommands(), ...session.commands() });
    const context = new CommandContext(
      reader.request,
      new ReplyWriter(),
      keyspace,
      random,
      { id: 0, databaseIndex: 0 },
      { stringBytesMax: STRING_BYTES_MAX },
    );
    const dispatcher = new Dispatcher(context, reader, commands, clock, session.gates, session);
    session.attach(dispatcher);
    super(session, dispatcher);
    this.commands = commands;
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
