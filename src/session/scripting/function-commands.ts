/**
 * FUNCTION, FCALL, FCALL_RO.
 *
 *  I1  What FUNCTION DUMP gives is what a snapshot holds of libraries, with the footer of DUMP.
 *  Source: replies of redis-server 7.0.
 */

import type { CommandContext, CommandSpec, CommandTable } from "../../commands/command.ts";
import { globMatch } from "../../core/glob.ts";
import { DUMP_FOOTER_BYTES, isDumpPayload, writeDumpFooter } from "../../history/formats/dump-payload.ts";
import { readFunctionDump, writeFunctionDump } from "../../history/formats/function-dump.ts";
import { RdbFault } from "../../history/formats/rdb-fault.ts";
import { ReplyError } from "../../protocol/errors.ts";
import { writeHelp } from "./help.ts";
import type { Libraries, Library, RestorePolicy } from "./libraries.ts";
import { SCRIPT_KEYS, SCRIPT_KEYS_READ } from "./script-commands.ts";
import { FLAG_NAMES } from "./script-flags.ts";
import { BUSY_SCRIPT, type Scripting } from "./scripting.ts";

const NOT_FOUND = new ReplyError("ERR Function not found");
const NO_LIBRARY = new ReplyError("ERR Library not found");
const BAD_KEYS = new ReplyError("ERR Bad number of keys provided");
const NEGATIVE_KEYS = new ReplyError("ERR Number of keys can't be negative");
const TOO_MANY_KEYS = new ReplyError("ERR Number of keys can't be greater than number of args");
const FLUSH_OPTION = new ReplyError("ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
const NO_PATTERN = new ReplyError("ERR library name argument was not given");
const BAD_PAYLOAD = new ReplyError("ERR DUMP payload version or checksum are wrong");
const BAD_LIBRARIES = new ReplyError("ERR failed loading functions");
const BAD_POLICY = new ReplyError("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.");

export class Functions {
  private readonly scripting: Scripting;
  readonly libraries: Libraries;

  constructor(scripting: Scripting, libraries: Libraries) {
    this.scripting = scripting;
    this.libraries = libraries;
  }

  commands(): CommandTable {
    const entry = {
      arity: -3,
      acl: ["scripting"],
      since: "7.0.0",
      group: "scripting",
      complexity: "Depends on the function that is executed.",
      arguments: "function numkeys(integer) [key [key ...]] [arg [arg ...]]",
    } as const;
    return {
      FCALL: {
        ...entry,
        flags: ["noscript", "stale", "skip_monitor", "may_replicate", "no_mandatory_keys", "movablekeys"],
        keys: SCRIPT_KEYS,
        summary: "Calls a function.",
        run: (context) => this.call(context, false),
      },
      FCALL_RO: {
        ...entry,
        flags: ["readonly", "noscript", "stale", "skip_monitor", "no_mandatory_keys", "movablekeys"],
        keys: SCRIPT_KEYS_READ,
        summary: "Calls a function that does not write.",
        run: (context) => this.call(context, true),
      },
      FUNCTION: this.container(),
    };
  }

  private container(): CommandSpec {
    const entry = { acl: ["scripting"], group: "scripting", since: "7.0.0", complexity: "O(1)" } as const;
    const everywhere = ["request_policy:all_shards", "response_policy:all_succeeded"];
    return {
      arity: -2,
      flags: [],
      acl: [],
      since: "7.0.0",
      group: "scripting",
      complexity: "Depends on subcommand.",
      summary: "Holds the commands about functions.",
      subcommands: {
        DELETE: {
          ...entry,
          arity: 3,
          flags: ["write", "noscript"],
          summary: "Deletes a library and its functions.",
          arguments: "library-name",
          tips: everywhere,
          run: (context) => this.delete(context),
        },
        DUMP: {
          ...entry,
          arity: 2,
          flags: ["noscript"],
          complexity: "O(N) where N is the number of functions",
          summary: "Gives all libraries as one payload.",
          run: (context) => this.dump(context),
        },
        FLUSH: {
          ...entry,
          arity: -2,
          flags: ["write", "noscript"],
          complexity: "O(N) where N is the number of functions deleted",
          summary: "Deletes all libraries.",
          arguments: "[<async=ASYNC|SYNC>]",
          tips: everywhere,
          run: (context) => {
            const { request, reply, keyspace } = context;
            if (request.count > 3 || (request.count === 3 && !request.is(2, "ASYNC") && !request.is(2, "SYNC"))) {
              return reply.error(FLUSH_OPTION);
            }
            this.libraries.flush();
            keyspace.dirty++;
            reply.ok();
          },
        },
        HELP: {
          ...entry,
          arity: 2,
          flags: ["loading", "stale"],
          summary: "Explains the subcommands.",
          run: (context) => writeHelp(context, "FUNCTION", HELP),
        },
        KILL: {
          ...entry,
          arity: 2,
          flags: ["noscript", "allow_busy"],
          summary: "Ends the function that runs, unless it has written.",
          tips: ["request_policy:all_shards", "response_policy:one_succeeded"],
          run: (context) => this.scripting.kill("function", context.reply),
        },
        LIST: {
          ...entry,
          arity: -2,
          flags: ["noscript"],
          complexity: "O(N) where N is the number of functions",
          summary: "Lists the libraries and their functions.",
          arguments: "[LIBRARYNAME library-name-pattern] [WITHCODE]",
          tips: ["nondeterministic_output_order"],
          run: (context) => this.list(context),
        },
        LOAD: {
          ...entry,
          arity: -3,
          flags: ["write", "denyoom", "noscript"],
          complexity: "O(1) (considering compilation time is redundant)",
          summary: "Makes a library from its code.",
          arguments: "[REPLACE] function-code",
          tips: everywhere,
          run: (context) => this.load(context),
        },
        RESTORE: {
          ...entry,
          arity: -3,
          flags: ["write", "denyoom", "noscript"],
          complexity: "O(N) where N is the number of functions on the payload",
          summary: "Makes libraries from what FUNCTION DUMP gave.",
          arguments: "serialized-value [<policy=FLUSH|APPEND|REPLACE>]",
          tips: everywhere,
          run: (context) => this.restore(context),
        },
        STATS: {
          ...entry,
          arity: 2,
          flags: ["noscript", "allow_busy"],
          summary: "Describes the function that runs, and counts libraries.",
          tips: ["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
          run: (context) => this.stats(context),
        },
      },
    };
  }

  /** hot path */
  private call(context: CommandContext, isReadOnly: boolean): void {
    const { request, reply } = context;
    const known = this.libraries.find(request.text(1));
    if (known === undefined) return reply.error(NOT_FOUND);
    const keyCount = request.integer(2);
    if (Number.isNaN(keyCount)) return reply.error(BAD_KEYS);
    if (keyCount > request.count - 3) return reply.error(TOO_MANY_KEYS);
    if (keyCount < 0) return reply.error(NEGATIVE_KEYS);
    const obstacle = this.scripting.obstacle(known, isReadOnly);
    if (obstacle !== undefined) return reply.errorText(obstacle);
    const ready = this.libraries.ready(known);
    if (typeof ready === "string") return reply.errorText(ready);
    const made = this.scripting.machineOf("function");
    this.scripting.run(context, ready, made, ready.reference, isReadOnly, 3, keyCount);
  }

  private load(context: CommandContext): void {
    const { request, reply, keyspace } = context;
    let replaces = false;
    for (let index = 2; index < request.count - 1; index++) {
      if (!request.is(index, "REPLACE")) return reply.errorText(`ERR Unknown option given: ${request.text(index)}`);
      replaces = true;
    }
    const outcome = this.libraries.load(request.copy(request.count - 1), replaces);
    if (typeof outcome === "string") return reply.errorText(outcome);
    keyspace.dirty++;
    reply.bulkText(outcome.name);
  }

  private delete(context: CommandContext): void {
    const { request, reply, keyspace } = context;
    if (!this.libraries.delete(request.text(2))) return reply.error(NO_LIBRARY);
    keyspace.dirty++;
    reply.ok();
  }

  private dump(context: CommandContext): void {
    const records = writeFunctionDump(this.libraries.all().map((library) => library.code));
    const payload = new Uint8Array(records.length + DUMP_FOOTER_BYTES);
    payload.set(records);
    writeDumpFooter(payload, 0, records.length);
    context.reply.bulkBytes(payload);
  }

  private restore(context: CommandContext): void {
    const { request, reply, keyspace, limits } = context;
    if (request.count > 4) {
      const name = request.text(1);
      return reply.errorText(`ERR unknown subcommand or wrong number of arguments for '${name}'. Try FUNCTION HELP.`);
    }
    let policy: RestorePolicy = "append";
    if (request.count === 4) {
      if (request.is(3, "FLUSH")) policy = "flush";
      else if (request.is(3, "REPLACE")) policy = "replace";
      else if (!request.is(3, "APPEND")) return reply.error(BAD_POLICY);
    }
    const payload = request.copy(2);
    if (!isDumpPayload(payload, 0, payload.length, limits.skipsChecksums === true)) return reply.error(BAD_PAYLOAD);
    let codes: Uint8Array[];
    try {
      codes = readFunctionDump(payload.subarray(0, payload.length - DUMP_FOOTER_BYTES));
    } catch (error) {
      if (!(error instanceof RdbFault)) throw error;
      return reply.error(BAD_LIBRARIES);
    }
    const failure = this.libraries.restore(codes, policy);
    if (failure !== undefined) return reply.errorText(failure);
    keyspace.dirty++;
    reply.ok();
  }

  private list(context: CommandContext): void {
    const { request, reply } = context;
    let pattern: Uint8Array | undefined;
    let withCode = false;
    for (let index = 2; index < request.count; index++) {
      if (!withCode && request.is(index, "WITHCODE")) {
        withCode = true;
      } else if (pattern === undefined && request.is(index, "LIBRARYNAME")) {
        if (index + 1 === request.count) return reply.error(NO_PATTERN);
        pattern = request.copy(++index);
      } else {
        return reply.errorText(`ERR Unknown argument ${request.text(index)}`);
      }
    }
    const libraries = this.libraries.all().filter(({ name }) => {
      if (pattern === undefined) return true;
      const bytes = Buffer.from(name, "latin1");
      return globMatch(pattern, 0, pattern.length, bytes, 0, bytes.length, true);
    });
    reply.array(libraries.length);
    for (const library of libraries) writeLibrary(context, library, withCode);
  }

  private stats(context: CommandContext): void {
    const { reply } = context;
    const run = this.scripting.current;
    if (run?.script.kind === "script") return reply.error(BUSY_SCRIPT);
    reply.map(2);
    reply.bulkText("running_script");
    if (run === undefined) {
      reply.nullBulk();
    } else {
      reply.map(3);
      reply.bulkText("name");
      reply.bulkText(run.script.name);
      reply.bulkText("command");
      reply.array(run.words.length);
      for (const word of run.words) reply.bulkBytes(word);
      reply.bulkText("duration_ms");
      reply.integer(Math.floor(context.monotonicMs - run.startedMs));
    }
    reply.bulkText("engines");
    reply.map(1);
    reply.bulkText("LUA");
    reply.map(2);
    reply.bulkText("libraries_count");
    reply.integer(this.libraries.all().length);
    reply.bulkText("functions_count");
    reply.integer(this.libraries.functionCount);
  }
}

function writeLibrary({ reply }: CommandContext, library: Library, withCode: boolean): void {
  reply.map(withCode ? 4 : 3);
  reply.bulkText("library_name");
  reply.bulkText(library.name);
  reply.bulkText("engine");
  reply.bulkText("LUA");
  reply.bulkText("functions");
  reply.array(library.functions.size);
  for (const { name, description, flags } of library.functions.values()) {
    reply.map(3);
    reply.bulkText("name");
    reply.bulkText(name);
    reply.bulkText("description");
    if (description === undefined) reply.nullBulk();
    else reply.bulkText(description);
    reply.bulkText("flags");
    const names = FLAG_NAMES.filter(([, flag]) => (flags & flag) !== 0);
    reply.set(names.length);
    for (const [flag] of names) reply.simple(flag);
  }
  if (!withCode) return;
  reply.bulkText("library_code");
  reply.bulkBytes(library.code);
}

const HELP = [
  "LOAD [REPLACE] <FUNCTION CODE>",
  "    Create a new library with the given library name and code.",
  "DELETE <LIBRARY NAME>",
  "    Delete the given library.",
  "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
  "    Return general information on all the libraries:",
  "    * Library name",
  "    * The engine used to run the Library",
  "    * Library description",
  "    * Functions list",
  "    * Library code (if WITHCODE is given)",
  "    It also possible to get only function that matches a pattern using LIBRARYNAME argument.",
  "STATS",
  "    Return information about the current function running:",
  "    * Function name",
  "    * Command used to run the function",
  "    * Duration in MS that the function is running",
  "    If no function is running, return nil",
  "    In addition, returns a list of available engines.",
  "KILL",
  "    Kill the current running function.",
  "FLUSH [ASYNC|SYNC]",
  "    Delete all the libraries.",
  "    When called without the optional mode argument, the behavior is determined by the",
  "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
  "    * ASYNC: Asynchronously flush the libraries.",
  "    * SYNC: Synchronously flush the libraries.",
  "DUMP",
  "    Return a serialized payload representing the current libraries, can be restored using FUNCTION RESTORE command",
  "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
  "    Restore the libraries represented by the given payload, it is possible to give a restore policy to",
  "    control how to handle existing libraries (default APPEND):",
  "    * FLUSH: delete all existing libraries.",
  "    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.",
  "    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old",
  "      libraries with the new libraries (notice that even on this option there is a chance of failure",
  "      in case of functions name collision with another library).",
];
