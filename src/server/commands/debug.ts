/**
 * DEBUG: what harnesses and monitoring do to a server, and what people look into. Behind enable-debug-command.
 *
 *      DEBUG name arg ...  ──►  ACTIONS[name] { argument counts, run }      a name or a count that does not fit: one error
 *
 *  I1  DEBUG is one command, not a container: Redis answers an unknown name with a text of its own.
 *  I2  What ends the process does so as a failed assertion does; nothing is saved.
 *  Source: replies and DEBUG HELP of redis-server 7.0; DICT-RESIZING, STRINGMATCH-LEN as 7.2 has them; VERIFY is ours.
 */

import type { CommandContext, CommandTable } from "../../commands/command.ts";
import { AssertionFailure } from "../../core/assert.ts";
import { globMatch } from "../../core/glob.ts";
import { NOT_AN_INTEGER, ReplyError } from "../../protocol/errors.ts";
import { ArenaExhausted } from "../../store/arena/arena.ts";
import { NO_EXPIRY } from "../../store/keyspace/keyspace.ts";
import { rewriteConfiguration } from "../config/rewrite.ts";
import { parseMemory } from "../config/values.ts";
import { digestOfAll } from "../digest.ts";
import { hexadecimal, type Server } from "../server.ts";
import { DEBUG_HELP } from "./debug-help.ts";
import { loadLog } from "./debug-loadaof.ts";
import { protocol } from "./debug-protocol.ts";
import { reload } from "./debug-reload.ts";
import {
  digestValues,
  hashTableOfKey,
  hashTables,
  listpack,
  object,
  quicklist,
  stringLengths,
  structureSizes,
} from "./debug-values.ts";
import { writeHelp } from "./help.ts";

const MUST_BE_POSITIVE = new ReplyError("ERR value is out of range, must be positive");
const BAD_THRESHOLD = new ReplyError("ERR argument must be a memory value bigger than 1 and smaller than 4gb");
const NO_CLUSTER = new ReplyError("ERR Debug option only available for cluster mode enabled setup!");
const NO_LEAK = new ReplyError("ERR DEBUG LEAK is refused: a leak would stay until the process ends");
const NO_RESTART = new ReplyError(
  "ERR DEBUG RESTART and CRASH-AND-RECOVER are refused: the process does not start itself again, use what started it",
);
const NO_CLIENT_EVICTION = new ReplyError("ERR maxmemory-clients is disabled.");
const NO_CONFIG_FILE = new ReplyError("ERR CONFIG-REWRITE-FORCE-ALL failed: the server runs without a config file");

const GIGABYTE = 1024n * 1024n * 1024n;

export interface DebugAction {
  /** Arguments with DEBUG and the name itself: at least and at most. */
  readonly count: readonly [least: number, most: number];
  readonly run: (server: Server, context: CommandContext) => void;
}

const ANY = Number.POSITIVE_INFINITY;

const ACTIONS: Readonly<Record<string, DebugAction>> = {
  "AOF-FLUSH-SLEEP": { count: [3, 3], run: accept },
  ASSERT: { count: [2, 2], run: () => fail("DEBUG ASSERT") },
  "CHANGE-REPL-ID": { count: [2, 2], run: changeReplicationId },
  "CLIENT-EVICTION": { count: [2, 2], run: clientEviction },
  CLUSTERLINK: { count: [5, 5], run: (_, { reply }) => reply.error(NO_CLUSTER) },
  "CONFIG-REWRITE-FORCE-ALL": { count: [2, 2], run: rewriteAll },
  "CRASH-AND-RECOVER": { count: [2, 3], run: (_, { reply }) => reply.error(NO_RESTART) },
  "DICT-RESIZING": { count: [3, 3], run: accept },
  DIGEST: { count: [2, 2], run: ({ keyspace }, { reply }) => reply.simple(digestOfAll(keyspace)) },
  "DIGEST-VALUE": { count: [2, ANY], run: digestValues },
  "DROP-CLUSTER-PACKET-FILTER": { count: [3, 3], run: accept },
  ERROR: { count: [3, 3], run: (_, { request, reply }) => reply.errorText(request.text(2)) },
  HELP: { count: [2, 2], run: (_, context) => writeHelp(context, "DEBUG", DEBUG_HELP) },
  HTSTATS: { count: [3, 4], run: hashTables },
  "HTSTATS-KEY": { count: [3, 4], run: hashTableOfKey },
  LEAK: { count: [3, 3], run: (_, { reply }) => reply.error(NO_LEAK) },
  LISTPACK: { count: [3, 3], run: listpack },
  LOADAOF: { count: [2, 2], run: loadLog },
  LOG: { count: [3, 3], run: log },
  OBJECT: { count: [3, 4], run: object },
  OOM: { count: [2, 2], run: exhaust },
  PANIC: { count: [2, 2], run: () => fail("DEBUG PANIC") },
  "PAUSE-CRON": { count: [3, 3], run: pauseCron },
  POPULATE: { count: [3, 5], run: populate },
  PROTOCOL: { count: [3, 3], run: protocol },
  QUICKLIST: { count: [3, 4], run: quicklist },
  "QUICKLIST-PACKED-THRESHOLD": { count: [3, 3], run: packedThreshold },
  RELOAD: { count: [2, ANY], run: reload },
  REPLICATE: { count: [3, ANY], run: accept },
  REPLYBUFFER: { count: [4, 4], run: replyBuffer },
  RESTART: { count: [2, 3], run: (_, { reply }) => reply.error(NO_RESTART) },
  SDSLEN: { count: [3, 3], run: stringLengths },
  SEGFAULT: { count: [2, 2], run: () => fail("DEBUG SEGFAULT") },
  "SET-ACTIVE-EXPIRE": { count: [3, 3], run: setActiveExpire },
  "SET-SKIP-CHECKSUM-VALIDATION": { count: [3, 3], run: skipChecksums },
  SLEEP: { count: [3, 3], run: sleep },
  "STRINGMATCH-LEN": { count: [4, 4], run: matchLength },
  "STRINGMATCH-TEST": { count: [2, 2], run: matchAtRandom },
  STRUCTSIZE: { count: [2, 2], run: structureSizes },
  VERIFY: { count: [2, 2], run: verify },
};

export function debugCommands(server: Server): CommandTable {
  return {
    DEBUG: {
      arity: -2,
      flags: ["admin", "noscript", "loading", "stale", "protected"],
      acl: [],
      since: "1.0.0",
      group: "server",
      complexity: "Depends on subcommand.",
      summary: "Looks into the server and steers it, for tests and for finding faults.",
      isSystemCommand: true,
      run: (context) => debug(server, context),
    },
  };
}

function debug(server: Server, context: CommandContext): void {
  const { request, reply } = context;
  const action = ACTIONS[request.text(1).toUpperCase()];
  if (action !== undefined && request.count >= action.count[0] && request.count <= action.count[1]) {
    action.run(server, context);
    return;
  }
  reply.errorText(
    `ERR unknown subcommand or wrong number of arguments for '${request.text(1).slice(0, 128)}'. Try DEBUG HELP.`,
  );
}

// ---- the server as a whole ---------------------------------------------------------------------------------------

function accept(_: Server, { reply }: CommandContext): void {
  reply.ok();
}

/** Ends the process as a broken invariant does. */
function fail(text: string): never {
  throw new AssertionFailure(text);
}

/** Memory that is exhausted is a reply here, not an end: this shows it. */
function exhaust(): never {
  throw new ArenaExhausted("DEBUG OOM");
}

/** As C's atoi: what is no number is 0. */
function isOn(context: CommandContext, argument: number): boolean {
  return (Number.parseInt(context.request.text(argument), 10) || 0) !== 0;
}

function changeReplicationId(server: Server, { reply }: CommandContext): void {
  server.log.write("notice", "Changing replication IDs after receiving change-repl-id");
  server.context.log.replicationId = hexadecimal(server.host, 20);
  reply.ok();
}

function clientEviction(server: Server, { reply }: CommandContext): void {
  const { clients, limits } = server.session;
  if (limits.clientsBytesMax === 0) return reply.error(NO_CLIENT_EVICTION);
  reply.verbatim(`limit ${limits.clientsBytesMax}\nclients ${clients.count}\nbytes ${clients.memoryBytes}\n`, "txt");
}

function rewriteAll(server: Server, { reply }: CommandContext): void {
  if (server.configFile === undefined) return reply.error(NO_CONFIG_FILE);
  const complaint = rewriteConfiguration(server.config, server.host.disk, server.configFile, undefined, true);
  if (complaint === undefined) reply.ok();
  else reply.errorText(`ERR CONFIG-REWRITE-FORCE-ALL failed: ${complaint}`);
}

function log(server: Server, { request, reply }: CommandContext): void {
  server.log.write("warning", `DEBUG LOG: ${Buffer.from(request.copy(2)).toString("utf8")}`);
  reply.ok();
}

function pauseCron(server: Server, context: CommandContext): void {
  server.isCronPaused = isOn(context, 2);
  context.reply.ok();
}

function setActiveExpire(server: Server, context: CommandContext): void {
  server.expiry.isEnabled = isOn(context, 2);
  context.reply.ok();
}

function skipChecksums(server: Server, context: CommandContext): void {
  const skips = isOn(context, 2);
  context.limits.skipsChecksums = skips;
  server.snapshots.settings.skipsChecksum = skips;
  context.reply.ok();
}

/** DEBUG SLEEP seconds: everybody waits, as with a command that takes so long. */
function sleep(server: Server, { request, reply }: CommandContext): void {
  const seconds = Number.parseFloat(request.text(2)) || 0;
  if (seconds > 0) server.host.block(seconds * 1000);
  reply.ok();
}

function verify({ keyspace }: Server, { reply }: CommandContext): void {
  keyspace.verify();
  reply.ok();
}

// ---- settings of tests --------------------------------------------------------------------------------------------

/** DEBUG QUICKLIST-PACKED-THRESHOLD size: lists will go by it; 0 is the default again. */
function packedThreshold(_: Server, { request, reply, limits }: CommandContext): void {
  const bytes = parseMemory(request.text(2));
  if (bytes === undefined || bytes < 0n || bytes > 4n * GIGABYTE) return reply.error(BAD_THRESHOLD);
  limits.packedThresholdBytes = Number(bytes === 0n ? GIGABYTE : bytes);
  reply.ok();
}

/** DEBUG REPLYBUFFER PEAK-RESET-TIME NEVER|RESET|ms, RESIZING 0|1: accepted; clients own no reply buffer to resize. */
function replyBuffer(server: Server, context: CommandContext): void {
  const { request, reply } = context;
  if (request.is(2, "RESIZING")) return reply.ok();
  if (!request.is(2, "PEAK-RESET-TIME")) {
    return reply.errorText(
      `ERR unknown subcommand or wrong number of arguments for '${request.text(1)}'. Try DEBUG HELP.`,
    );
  }
  const isWord = request.is(3, "NEVER") || request.is(3, "RESET");
  if (!isWord && request.int64(3) === undefined) return reply.error(NOT_AN_INTEGER);
  accept(server, context);
}

// ---- data ---------------------------------------------------------------------------------------------------------

/** DEBUG POPULATE count [prefix] [size]: keys "prefix:0" ... that are not there yet; they count as no change. */
function populate({ keyspace }: Server, context: CommandContext): void {
  const { request, reply, database } = context;
  const keyCount = request.integer(2);
  const sizeBytes = request.count === 5 ? request.integer(4) : 0;
  if (!(keyCount >= 0) || !(sizeBytes >= 0)) return reply.error(MUST_BE_POSITIVE);
  const prefix = request.count >= 4 ? request.text(3) : "key";
  for (let index = 0; index < keyCount; index++) {
    const key = Buffer.from(`${prefix}:${index}`, "latin1");
    if (keyspace.has(database, key, 0, key.length)) continue;
    const text = Buffer.from(`value:${index}`, "latin1");
    let value: Uint8Array = text;
    if (sizeBytes > 0) {
      value = new Uint8Array(sizeBytes);
      value.set(text.subarray(0, sizeBytes));
    }
    keyspace.setString(database, key, 0, key.length, value, 0, value.length, NO_EXPIRY);
  }
  reply.ok();
}

/** DEBUG STRINGMATCH-LEN pattern text: 1 when it matches. */
function matchLength(_: Server, { request, reply }: CommandContext): void {
  const { input, offset, length } = request;
  const isMatch = globMatch(input, offset[2]!, length[2]!, input, offset[3]!, length[3]!, false);
  reply.integer(isMatch ? 1 : 0);
}

const MATCH_ROUNDS = 10_000;
const MATCH_BYTES_MAX = 32;

/** DEBUG STRINGMATCH-TEST: patterns and texts of random bytes; whatever they are, matching ends. */
function matchAtRandom({ host }: Server, { reply }: CommandContext): void {
  const bytes = new Uint8Array(2 * MATCH_BYTES_MAX);
  for (let round = 0; round < MATCH_ROUNDS; round++) {
    host.random.fill(bytes);
    const random = host.random.uint32();
    globMatch(bytes, 0, random % MATCH_BYTES_MAX, bytes, MATCH_BYTES_MAX, (random >>> 8) % MATCH_BYTES_MAX, false);
  }
  reply.ok();
}
