/**
 * DEBUG LOADAOF: through the append-only file and back.
 *
 *      what was recorded ──► the device ──► empty ──► load, in slices ──► the same file is written on
 *
 *  I1  Nothing is emptied before all that was recorded is durable and nobody else writes a file.
 *  I2  While it loads, clients hear LOADING, as at the start. A load that fails leaves the file as it was, and turns
 *      recording off: what is in memory then must not become its truth.
 *  Source: DEBUG HELP and replies of redis-server 7.0.
 */

import type { CommandContext } from "../../commands/command.ts";
import { ReplyError } from "../../protocol/errors.ts";
import type { ReplyWriter } from "../../protocol/reply-writer.ts";
import { aofFailureText, loadAppendOnly } from "../append-only.ts";
import type { Server } from "../server.ts";

const NO_FILE = new ReplyError("ERR DEBUG LOADAOF has nothing to load: there is no append-only file");
const LOAD_FAILED = new ReplyError("ERR Error trying to load the AOF files, check server logs.");

export function loadLog(server: Server, context: CommandContext): void {
  const { appendOnly, log } = server;
  const { reply } = context;
  if (appendOnly.file.state !== "on") return reply.error(NO_FILE);
  // In a transaction or a script nobody can wait; what it has done so far is not recorded yet.
  if (!context.mayWait) return reply.error(LOAD_FAILED);
  try {
    appendOnly.file.syncNow();
  } catch (error) {
    log.write("warning", `DEBUG LOADAOF: ${(error as Error).message}`);
    return reply.error(LOAD_FAILED);
  }
  context.suspend({ kind: "wait", timeoutAtMs: 0, onTimeout: (late) => late.error(LOAD_FAILED) });
  const { client } = context;
  server.host.clock.soon(() => {
    void load(server).then((answer) => server.session.resume(client, answer));
  });
}

async function load(server: Server): Promise<(reply: ReplyWriter) => void> {
  const { appendOnly, snapshots, keyspace, session, context, log } = server;
  const { onNew } = keyspace;
  try {
    // Others may have changed something since the command asked for this: it goes with what is emptied (I1).
    appendOnly.file.syncNow();
  } catch (error) {
    log.write("warning", `DEBUG LOADAOF: ${(error as Error).message}`);
    return (reply) => reply.error(LOAD_FAILED);
  }
  session.gates.isLoading = true;
  if (snapshots.isRunning()) {
    snapshots.abort();
    snapshots.isScheduled = true;
  }
  appendOnly.detach();
  // What is loaded was there before: nobody hears of new keys.
  keyspace.onNew = undefined;
  try {
    context.keysFlushed();
    keyspace.flushAll();
    session.functions.flush();
    await loadAppendOnly(server);
    keyspace.dirty = 0;
    log.write("warning", "Append Only File loaded by DEBUG LOADAOF");
    return (reply) => reply.ok();
  } catch (error) {
    log.write("warning", `DEBUG LOADAOF: ${aofFailureText(error, server) ?? (error as Error).message}`);
    appendOnly.disable();
    return (reply) => reply.error(LOAD_FAILED);
  } finally {
    keyspace.onNew = onNew;
    session.gates.isLoading = false;
  }
}
