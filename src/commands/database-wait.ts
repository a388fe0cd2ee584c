/**
 * WAIT and WAITAOF, on a server that has neither replicas nor an append-only file: whoever asks for none goes on at
 * once, everybody else waits for the timeout.
 *
 *  I1  A timeout of 0 ends only with CLIENT UNBLOCK.
 *  Source: replies of redis-server 7.0 (WAIT); the documentation of Redis 7.2 and its tests' expectations (WAITAOF).
 */

import { ReplyError } from "../protocol/errors.ts";
import type { ReplyWriter } from "../protocol/reply-writer.ts";
import { readInteger, readTimeoutInMs } from "./arguments.ts";
import type { CommandContext, CommandTable } from "./command.ts";

const NOT_ZERO_OR_ONE = new ReplyError("ERR value is out of range, value must between 0 and 1");
const NOT_POSITIVE = new ReplyError("ERR value is out of range, must be positive");
const NO_APPEND_ONLY_FILE = new ReplyError(
  "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
);

function suspend(context: CommandContext, timeoutMs: number, write: (reply: ReplyWriter) => void): void {
  const timeoutAtMs = timeoutMs === 0 ? 0 : context.monotonicMs + timeoutMs;
  context.suspend({ kind: "wait", timeoutAtMs, onTimeout: write });
}

function wait(context: CommandContext): void {
  const replicas = readInteger(context, 1);
  if (Number.isNaN(replicas)) return;
  const timeoutMs = readTimeoutInMs(context, 2);
  if (Number.isNaN(timeoutMs)) return;
  if (replicas <= 0) context.reply.integer(0);
  else suspend(context, timeoutMs, (reply) => reply.integer(0));
}

function writeNobody(reply: ReplyWriter): void {
  reply.array(2);
  reply.integer(0);
  reply.integer(0);
}

function waitForFiles(context: CommandContext): void {
  const { reply } = context;
  const local = readInteger(context, 1);
  if (Number.isNaN(local)) return;
  if (local < 0 || local > 1) {
    reply.error(NOT_ZERO_OR_ONE);
    return;
  }
  const replicas = readInteger(context, 2);
  if (Number.isNaN(replicas)) return;
  if (replicas < 0) {
    reply.error(NOT_POSITIVE);
    return;
  }
  const timeoutMs = readTimeoutInMs(context, 3);
  if (Number.isNaN(timeoutMs)) return;
  if (local === 1) reply.error(NO_APPEND_ONLY_FILE);
  else if (replicas === 0) writeNobody(reply);
  else suspend(context, timeoutMs, writeNobody);
}

const WAITING = {
  flags: ["noscript"],
  acl: ["connection"],
  group: "generic",
  complexity: "O(1)",
  tips: ["request_policy:all_shards", "response_policy:agg_min"],
} as const;

export const WAIT_COMMANDS: CommandTable = {
  WAIT: {
    ...WAITING,
    arity: 3,
    since: "3.0.0",
    summary: "Waits until enough replicas have acknowledged the client's writes, and returns how many have.",
    arguments: "numreplicas timeout",
    run: wait,
  },
  WAITAOF: {
    ...WAITING,
    arity: 4,
    since: "7.2.0",
    summary: "Waits until the client's writes are in the append-only file here and on enough replicas.",
    arguments: "numlocal numreplicas timeout",
    run: waitForFiles,
  },
};
