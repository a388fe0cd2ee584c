/**
 * Shutdown: what is to be saved is saved, then everything is closed.
 *
 *      SHUTDOWN, SIGTERM, SIGINT ──► save? ──► close ──► onExit(code)
 *
 *  I1  A snapshot that fails stops the shutdown (unless FORCE): the server goes on and the data stays in memory.
 *  I2  A background save that runs is given up; with saving wanted, a complete one is written in its place.
 *  Source: SHUTDOWN and the signals as the Redis documentation describes them; log wording as Redis writes it.
 */

import type { Server } from "./server.ts";

export interface ShutdownRequest {
  /** Save even without save points, never save, or as the save points say. */
  readonly saving: "always" | "never" | "default";
  /** Go on when saving failed. */
  readonly isForced: boolean;
}

export class Shutdown {
  private readonly server: Server;
  private readonly onExit: (code: number) => void;
  private isDone: boolean;

  constructor(server: Server, onExit: (code: number) => void) {
    this.server = server;
    this.onExit = onExit;
    this.isDone = false;
  }

  /** Saves what is to be saved. False when that failed and the server goes on. */
  prepare(request: ShutdownRequest): boolean {
    const { log, snapshots, session, appendOnly } = this.server;
    log.write("notice", "User requested shutdown...");
    if (appendOnly.isRewriting() && appendOnly.settings.isEnabled && appendOnly.file.state !== "on") {
      // Without the base that is being written, the next start finds what was there before, or nothing.
      if (!request.isForced) {
        log.write("warning", "Writing initial AOF, can't exit.");
        return false;
      }
      log.write("warning", "Writing initial AOF. Exit anyway.");
    }
    if (appendOnly.isRewriting()) {
      log.write("warning", "There is a child rewriting the AOF. Killing it!");
      appendOnly.abortRewrite();
    }
    if (snapshots.isRunning()) {
      log.write("warning", "There is a child saving an .rdb. Killing it!");
      snapshots.abort();
    }
    const saves =
      request.saving === "always" || (request.saving === "default" && snapshots.settings.savePoints.length > 0);
    // While loading, memory holds less than the file: saving it would lose the rest.
    if (saves && !session.gates.isLoading) {
      log.write("notice", "Saving the final RDB snapshot before exiting.");
      try {
        snapshots.save();
      } catch {
        log.write("warning", "Error trying to save the DB, can't exit.");
        if (!request.isForced) return false;
        log.write("warning", "FORCE was given: exiting all the same, without the changes since the last snapshot.");
      }
    }
    return this.syncLog(request.isForced);
  }

  /** Makes durable what was recorded; false when the disk does not take it and the server goes on. */
  private syncLog(isForced: boolean): boolean {
    const { log, appendOnly } = this.server;
    if (appendOnly.file.state !== "on") return true;
    log.write("notice", "Calling fsync() on the AOF file.");
    try {
      appendOnly.file.syncNow();
      return true;
    } catch (error) {
      log.write("warning", `Error writing the AOF file, can't exit: ${(error as Error).message}`);
      return isForced;
    }
  }

  /** A signal asks to end; shutdown-on-sigterm and shutdown-on-sigint say how. */
  async onSignal(name: "SIGTERM" | "SIGINT"): Promise<void> {
    this.server.log.write("warning", `Received ${name} scheduling shutdown...`);
    const words = this.server.config.words(`shutdown-on-${name.toLowerCase()}`);
    const saving = words.includes("save") ? "always" : words.includes("nosave") ? "never" : "default";
    if (this.prepare({ saving, isForced: words.includes("force") })) await this.finish(0);
    else
      this.server.log.write("warning", "Errors trying to shut down the server. Check the logs for more information.");
  }

  /** Closes everything and reports the exit. */
  async finish(code: number): Promise<void> {
    if (this.isDone) return;
    this.isDone = true;
    const { log } = this.server;
    log.write("notice", "Everkey is now ready to exit, bye bye...");
    await this.server.close();
    this.onExit(code);
  }
}
