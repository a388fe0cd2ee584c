/**
 * What a plan is carried out by: a keyspace, and a replayer that fills it. src/server/headless.ts is one; a server that
 * shows a past moment is another.
 */

import type { DiskFile } from "../../core/host.ts";
import type { Replayer } from "../../session/replayer.ts";
import type { Keyspace } from "../../store/keyspace/keyspace.ts";

export interface ReplayEngine {
  readonly keyspace: Keyspace;
  readonly replayer: Replayer;
  /**
   * Loads a base, a snapshot or commands, into the empty keyspace; keys whose time is over stay. `timeMs`: when the
   * state was what it is. Throws RdbFault, AofFault, DiskFault, ReplayFault, ArenaExhausted.
   */
  loadBase(file: DiskFile, timeMs: number): void;
  /** The code of each function library. */
  functions(): Uint8Array[];
}
