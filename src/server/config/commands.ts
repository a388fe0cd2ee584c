/**
 * The CONFIG command: GET, SET, REWRITE, RESETSTAT, HELP.
 *
 *      CONFIG SET maxmemory 1gb hz 20 ──► Config.set ──► +OK or the error, at once or when the last applier is done
 *
 *  I1  A function that returns undefined has written its reply; one that returns a promise writes nothing before it
 *      resolves: the caller keeps the client waiting and calls what it resolves to with the client's writer.
 *  Source: replies of redis-server 7.0 (config.differential.test.ts).
 */

import type { Disk } from "../../core/host.ts";
import type { ReplyWriter } from "../../protocol/reply-writer.ts";
import type { Request } from "../../protocol/request.ts";
import type { Complaint, Config, SetOptions } from "./config.ts";
import { findDirective } from "./directives.ts";
import { rewriteConfiguration, type UserLines } from "./rewrite.ts";

export interface ConfigHooks {
  /** CONFIG RESETSTAT. */
  readonly resetStatistics: () => void;
  /** Absolute path of the file that the server was started with. */
  readonly configFile: string | undefined;
  readonly disk: Disk;
  /** The `user` lines for CONFIG REWRITE, once there are users. */
  readonly users?: UserLines;
  /** Told after CONFIG REWRITE, for the log; `failure` undefined when it went well. */
  readonly onRewrite?: (failure: string | undefined) => void;
}

/** Writes the reply that was not ready at once. */
export type LateReply = (reply: ReplyWriter) => void;

export interface ConfigCommands {
  get(request: Request, reply: ReplyWriter): undefined;
  set(request: Request, reply: ReplyWriter, client: SetOptions): Promise<LateReply> | undefined;
  rewrite(request: Request, reply: ReplyWriter): undefined;
  resetStatistics(request: Request, reply: ReplyWriter): undefined;
  help(request: Request, reply: ReplyWriter): undefined;
}

export const CONFIG_HELP: readonly string[] = [
  "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
  "GET <pattern>",
  "    Return parameters matching the glob-like <pattern> and their values.",
  "SET <directive> <value>",
  "    Set the configuration <directive> to <value>.",
  "RESETSTAT",
  "    Reset statistics reported by the INFO command.",
  "REWRITE",
  "    Rewrite the configuration file.",
  "HELP",
  "    Prints this help.",
];

/** The subcommands over one Config. Their arity is the dispatcher's: GET >= 3, SET >= 4, the others 2 words. */
export function configCommands(config: Config, hooks: ConfigHooks): ConfigCommands {
  return {
    get(request, reply) {
      configGet(config, request, reply);
      return undefined;
    },
    set(request, reply, client) {
      return configSet(config, request, reply, client);
    },
    rewrite(_request, reply) {
      configRewrite(config, hooks, reply);
      return undefined;
    },
    resetStatistics(_request, reply) {
      hooks.resetStatistics();
      reply.ok();
      return undefined;
    },
    help(_request, reply) {
      reply.array(CONFIG_HELP.length);
      for (const line of CONFIG_HELP) reply.simple(line);
      return undefined;
    },
  };
}

/** CONFIG GET pattern [pattern ...]: a map of names and values. */
export function configGet(config: Config, request: Request, reply: ReplyWriter): void {
  const patterns: string[] = [];
  for (let index = 2; index < request.count; index++) patterns.push(request.text(index));
  const found = config.get(patterns);
  reply.map(found.length);
  for (const [name, value] of found) {
    reply.bulkText(name);
    reply.bulkText(value);
  }
}

/** CONFIG SET name value [name value ...]: all or none. See I1 for what it returns. */
export function configSet(
  config: Config,
  request: Request,
  reply: ReplyWriter,
  client: SetOptions,
): Promise<LateReply> | undefined {
  if (request.count % 2 === 1) {
    reply.errorText("ERR syntax error");
    return undefined;
  }
  const pairs: [string, string][] = [];
  for (let index = 2; index < request.count; index += 2) pairs.push([request.text(index), request.text(index + 1)]);
  const outcome = config.set(pairs, client);
  if (outcome instanceof Promise) {
    return outcome.then((complaint) => (lateReply: ReplyWriter) => answer(lateReply, complaint));
  }
  answer(reply, outcome);
  return undefined;
}

/** CONFIG REWRITE. */
export function configRewrite(config: Config, hooks: ConfigHooks, reply: ReplyWriter): void {
  if (hooks.configFile === undefined) {
    reply.errorText("ERR The server is running without a config file");
    return;
  }
  const failure = rewriteConfiguration(config, hooks.disk, hooks.configFile, hooks.users);
  hooks.onRewrite?.(failure);
  answer(reply, failure === undefined ? undefined : `ERR Rewriting config file: ${failure}`);
}

/** The arguments of CONFIG SET that must not be shown in SLOWLOG, MONITOR or a log: values of sensitive directives. */
export function sensitiveArguments(request: Request): number[] {
  const found: number[] = [];
  for (let index = 3; index < request.count; index += 2) {
    if (findDirective(request.text(index - 1))?.isSensitive === true) found.push(index);
  }
  return found;
}

function answer(reply: ReplyWriter, complaint: Complaint): void {
  if (complaint === undefined) reply.ok();
  else reply.errorText(complaint);
}
