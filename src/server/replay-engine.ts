/**
 * What replays into a keyspace through a dispatcher, whoever else it serves: a headless server, or one that shows the past.
 *
 *      base (RDB, commands, or one behind the other) ──► loadBase ──┐
 *      commands                                      ──► replayer ──┴──► keyspace
 */

import type { DiskFile } from "../core/host.ts";
import { AofReader } from "../history/formats/aof-reader.ts";
import { startsWithSnapshot } from "../history/formats/rdb-reader.ts";
import { SnapshotLoader } from "../history/snapshot/snapshot-loader.ts";
import type { ReplayEngine } from "../persistence/timeline/engine.ts";
import type { Dispatcher } from "../session/dispatcher.ts";
import { Replayer } from "../session/replayer.ts";
import type { Session } from "../session/session.ts";
import type { Keyspace } from "../store/keyspace/keyspace.ts";

export class DispatcherEngine implements ReplayEngine {
  readonly keyspace: Keyspace;
  readonly replayer: Replayer;
  private readonly session: Session;

  /** `session` is attached to `dispatcher`. */
  constructor(session: Session, dispatcher: Dispatcher) {
    this.keyspace = dispatcher.context.keyspace;
    this.replayer = new Replayer(dispatcher, session.scripting);
    this.session = session;
  }

  loadBase(file: DiskFile, timeMs: number): void {
    const { replayer } = this;
    replayer.reset();
    replayer.setTime(timeMs);
    const start = startsWithSnapshot(file) ? this.loadSnapshot(file) : 0;
    if (start === file.size()) return;
    const state = { logOffset: Number.NaN, timeMs, source: undefined, database: 0 };
    replayer.replay(AofReader.at(file, start, state, { isBase: true }), false, () => false);
  }

  /** Returns where the snapshot ends: files of Redis before 7 go on with commands. */
  private loadSnapshot(file: DiskFile): number {
    const { replayer, keyspace, session } = this;
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
      });
      loader.step(() => false);
      return loader.loadedBytes();
    } finally {
      replayer.end();
    }
  }

  functions(): Uint8Array[] {
    return this.session.functions.all().map((library) => library.code);
  }
}
