/**
 * The CONFIG command: GET, SET, REWRITE, RESETSTAT, HELP.
 *
 *      CONFIG SET maxmemory 1gb hz 20 ──► Config.set ──► +OK or the error, at once or when the last applier is done
 *
 *  I1  CONFIG SET whose appliers take their time suspends its client and resumes it exactly once.
 *  Source: replies of redis-server 7.0 (config.differential.test.ts).
 */

import type { ClientState, CommandContext, CommandFlag, CommandTable } from "../../commands/command.ts";
import type { Disk } from "../../core/host.ts";
import type { ReplyWriter } from "../../protocol/reply-writer.ts";
import type { Request } from "../../protocol/request.ts";
import type { Complaint, Config } from "./config.ts";
import { findDirective } from "./directives.ts";
import { rewriteConfiguration, type UserLines } from "./rewrite.ts";

export interface ConfigHooks {
  /** CONFIG RESETSTAT. */
  readonly resetStatistics: () => void;
  /** Absolute path of the file that the server was started with. */
  readonly configFile: string | undefined;
  readonly disk: Disk;
  readonly isLoading: () => boolean;
  /** Whether the client comes over loopback or the unix socket; enable-protected-configs may ask. */
  readonly isLocal: (client: ClientState) => boolean;
  /** Gives a suspended client its reply, if it is still there. */
  readonly resume: (client: ClientState, write: (reply: ReplyWriter) => void) => void;
  /** The `user` lines for CONFIG REWRITE, once there are users. */
  readonly users?: UserLines;
  /** Told after CONFIG REWRITE, for the log; `failure` undefined when it went well. */
  readonly onRewrite?: (failure: string | undefined) => void;
}

const ADMIN_FLAGS: readonly CommandFlag[] = ["admin", "noscript", "loading", "stale"];

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

/** The table entry of CONFIG over one Config. */
export function configCommands(config: Config, hooks: ConfigHooks): CommandTable {
  const admin = { flags: ADMIN_FLAGS, acl: [], group: "server" } as const;
  return {
    CONFIG: {
      arity: -2,
      flags: [],
      acl: [],
      group: "server",
      since: "2.0.0",
      complexity: "Depends on subcommand.",
      summary: "Reads and changes the configuration of the running server.",
      subcommands: {
        GET: {
          ...admin,
          arity: -3,
          since: "2.0.0",
          complexity: "O(N) when N is the number of configuration parameters provided",
          summary: "Returns the directives whose names match a pattern, with their values.",
          arguments: "parameter [parameter ...]",
          history: [["7.0.0", "Takes several patterns."]],
          run: (context) => configGet(config, context.request, context.reply),
        },
        SET: {
          ...admin,
          arity: -4,
          since: "2.0.0",
          complexity: "O(N) when N is the number of configuration parameters provided",
          summary: "Changes directives of the running server: all that are named or none.",
          arguments: "parameter value [parameter value ...]",
          tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
          history: [["7.0.0", "Takes several pairs."]],
          run: (context) => configSet(config, hooks, context),
        },
        REWRITE: {
          ...admin,
          arity: 2,
          since: "2.8.0",
          complexity: "O(1)",
          summary: "Writes the values of now into the configuration file.",
          tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
          run: (context) => configRewrite(config, hooks, context.reply),
        },
        RESETSTAT: {
          ...admin,
          arity: 2,
          since: "2.0.0",
          complexity: "O(1)",
          summary: "Sets the statistics of INFO back to zero.",
          tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
          run: (context) => {
            hooks.resetStatistics();
            context.reply.ok();
          },
        },
        HELP: {
          arity: 2,
          flags: ["loading", "stale"],
          acl: [],
          group: "server",
          since: "5.0.0",
          complexity: "O(1)",
          summary: "Explains the subcommands.",
          run: (context) => {
            context.reply.array(CONFIG_HELP.length);
            for (const line of CONFIG_HELP) context.reply.simple(line);
          },
        },
      },
    },
  };
}

/** CONFIG GET pattern [pattern ...]: a map of names and values. */
function configGet(config: Config, request: Request, reply: ReplyWriter): void {
  const patterns: string[] = [];
  for (let index = 2; index < request.count; index++) patterns.push(request.text(index));
  const found = config.get(patterns);
  reply.map(found.length);
  for (const [name, value] of found) {
    reply.bulkText(name);
    reply.bulkText(value);
  }
}

/** CONFIG SET name value [name value ...]: all or none. Replies, or suspends the client until it can. */
function configSet(config: Config, hooks: ConfigHooks, context: CommandContext): void {
  const { request, reply, client } = context;
  if (request.count % 2 === 1) {
    reply.errorText("ERR syntax error");
    return;
  }
  const pairs: [string, string][] = [];
  for (let index = 2; index < request.count; index += 2) pairs.push([request.text(index), request.text(index + 1)]);
  const outcome = config.set(pairs, { isLocal: hooks.isLocal(client), isLoading: hooks.isLoading() });
  if (!(outcome instanceof Promise)) {
    answer(reply, outcome);
    return;
  }
  // Nothing takes a CONFIG SET back halfway, so neither a timeout nor the client's end changes its course.
  context.suspend({ kind: "other", timeoutAtMs: 0, onTimeout: (late) => late.ok() });
  void outcome.then((complaint) => hooks.resume(client, (late) => answer(late, complaint)));
}

/** CONFIG REWRITE. */
function configRewrite(config: Config, hooks: ConfigHooks, reply: ReplyWriter): void {
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
