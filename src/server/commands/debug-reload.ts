/**
 * DEBUG RELOAD: through the disk and back.
 *
 *      RELOAD                 save ──► empty ──► load          what is in memory afterwards came from the file
 *      NOSAVE                          empty ──► load          MERGE: keys of the file win over those that are there
 *      NOSAVE NOFLUSH [MERGE]                    load          without it such a key ends the load with an error
 *
 *  I1  Nothing is emptied before there is a file to load.
 *  Source: DEBUG HELP and replies of redis-server 7.0, the last error text as 7.2 has it.
 */

import type { CommandContext } from "../../commands/command.ts";
import { AssertionFailure } from "../../core/assert.ts";
import { ReplyError } from "../../protocol/errors.ts";
import type { Server } from "../server.ts";

const BAD_OPTION = new ReplyError("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
const SAVE_FAILED = new ReplyError("ERR Error saving the snapshot. Check the server log for the reason.");
const LOAD_FAILED = new ReplyError("ERR Error trying to load the RDB dump, check server logs.");

export function reload(server: Server, context: CommandContext): void {
  const { request, reply } = context;
  const { snapshots, keyspace, host } = server;
  let saves = true;
  let flushes = true;
  let merges = false;
  for (let argument = 2; argument < request.count; argument++) {
    if (request.is(argument, "NOSAVE")) saves = false;
    else if (request.is(argument, "NOFLUSH")) flushes = false;
    else if (request.is(argument, "MERGE")) merges = true;
    else return reply.error(BAD_OPTION);
  }
  // A snapshot that runs would see the data change under it all at once: it starts again afterwards.
  if (snapshots.isRunning()) {
    snapshots.abort();
    snapshots.isScheduled = true;
  }
  server.appendOnly.makeWay();
  if (saves) {
    try {
      snapshots.save();
    } catch {
      return reply.error(SAVE_FAILED);
    }
  }
  // What is loaded was there before: nobody hears of new keys.
  const { onNew } = keyspace;
  keyspace.onNew = undefined;
  try {
    if (host.disk.status(snapshots.filePath()) === undefined) return reply.error(LOAD_FAILED);
    if (flushes) {
      context.keysFlushed();
      keyspace.flushAll();
      server.session.functions.flush();
    }
    snapshots.loadNow(merges);
  } catch (error) {
    if (error instanceof AssertionFailure) throw error;
    server.log.write("warning", `DEBUG RELOAD: ${error instanceof Error ? error.message : String(error)}`);
    return reply.error(LOAD_FAILED);
  } finally {
    keyspace.onNew = onNew;
  }
  // Of a change like this the log knows nothing: a new base holds it.
  if (context.log.isRecording) context.log.isIncomplete = true;
  server.log.write("warning", "DB reloaded by DEBUG RELOAD");
  reply.ok();
}
