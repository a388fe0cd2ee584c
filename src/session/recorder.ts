/**
 * Recorder: runs a command and records its effect in the log.
 *
 *      EXEC                                   depth 1   what it records itself: nothing
 *        └─ EVAL                              depth 2   nothing
 *             └─ SET k v EX 10                depth 3   SET k v PXAT …      ─┐
 *        └─ LPOP k                            depth 2   LPOP k, as it came   ├─ one unit: MULTI … EXEC
 *      end of EXEC                            depth 0   endUnit             ─┘
 *
 *  I1  A command that changed something is recorded once: as it came, or as it has said itself.
 *  I2  What one client's command set going is one unit; a script that gave way to others is not at its end yet.
 *  Source: what redis-server 7.0 writes into its append-only file for the same commands.
 */

import type { CommandContext } from "../commands/command.ts";
import { ArenaExhausted } from "../store/arena/arena.ts";
import type { Client } from "./client.ts";
import { type Command, FLAG_WRITE } from "./command-index.ts";
import type { Gates } from "./gates.ts";

/** Whose address the log keeps with what they did: nobody's, of commands that people regret, of all. */
export type RecordedClients = "none" | "dangerous" | "all";

export class Recorder {
  recordedClients: RecordedClients;
  private readonly context: CommandContext;
  private readonly gates: Gates;
  /** A command of the unit is one whose client is of interest. */
  private isDangerous: boolean;

  constructor(context: CommandContext, gates: Gates) {
    this.recordedClients = "dangerous";
    this.context = context;
    this.gates = gates;
    this.isDangerous = false;
  }

  /** Runs `command` with the request that is loaded. The log is recording. Throws what the command throws. hot path */
  run(client: Client, command: Command): void {
    const context = this.context;
    const { keyspace, log } = context;
    const wasReplaced = log.isReplaced;
    const dirtyBefore = keyspace.dirty;
    const databaseIndex = context.database.index;
    log.isReplaced = false;
    context.depth++;
    try {
      command.run!(context);
      if (keyspace.dirty > dirtyBefore && !log.isReplaced) log.verbatim(context.request, databaseIndex);
      if (command.isDangerous) this.isDangerous = true;
    } catch (error) {
      // Some of its changes may have been made, and nobody knows which.
      if (error instanceof ArenaExhausted && (command.flagBits & FLAG_WRITE) !== 0) log.isIncomplete = true;
      throw error;
    } finally {
      log.isReplaced = wasReplaced;
      context.depth--;
      if (context.depth === 0) this.endUnit(client);
    }
  }

  /** The end of what `client` set going, unless a script of its is still at it (I2). */
  endUnit(client: Client): void {
    if (this.gates.busy !== undefined) return;
    const { keyspace, log } = this.context;
    const isNamed = this.recordedClients === "all" || (this.isDangerous && this.recordedClients !== "none");
    this.isDangerous = false;
    log.endUnit(keyspace.nowMs, isNamed && log.hasEffects() ? client.connection.remoteAddress : "");
  }
}
