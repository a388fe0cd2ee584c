/**
 * LATENCY: what held the server up, by event (see ../latency.ts).
 *
 *  I1  Times are seconds since 1970 and whole milliseconds.
 *  Source: replies of redis-server 7.0; the doctor's words are ours.
 */

import type { CommandContext, CommandFlag, CommandTable } from "../../commands/command.ts";
import type { Command, CommandIndex } from "../../session/command-index.ts";
import type { LatencyEvent } from "../latency.ts";
import type { Server } from "../server.ts";
import { helpEntry } from "./help.ts";
import { latencyGraph } from "./latency-graph.ts";

const HELP: readonly string[] = [
  "DOCTOR",
  "    Return a human readable latency analysis report.",
  "GRAPH <event>",
  "    Return an ASCII latency graph for the <event> class.",
  "HISTORY <event>",
  "    Return time-latency samples for the <event> class.",
  "LATEST",
  "    Return the latest latency samples for all events.",
  "RESET [<event> ...]",
  "    Reset latency data of one or more <event> classes.",
  "    (default: reset all data for all event classes)",
  "HISTOGRAM [COMMAND ...]",
  "    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.",
  "    If no commands are specified then all histograms are replied.",
];

export function latencyCommands(server: Server): CommandTable {
  const flags: readonly CommandFlag[] = ["admin", "noscript", "loading", "stale"];
  const entry = { flags, acl: [], group: "server", since: "2.8.13", complexity: "O(1)" } as const;
  const everyNode = ["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"];
  return {
    LATENCY: {
      ...entry,
      arity: -2,
      flags: [],
      complexity: "Depends on subcommand.",
      summary: "Tells what held the server up.",
      subcommands: {
        DOCTOR: {
          ...entry,
          arity: 2,
          summary: "Reports what held the server up, and what may help.",
          tips: everyNode,
          run: ({ reply }) => reply.verbatim(diagnosis(server), "txt"),
        },
        GRAPH: {
          ...entry,
          arity: 3,
          summary: "Draws the samples of one event.",
          arguments: "event",
          tips: everyNode,
          run: (context) => graph(server, context),
        },
        HELP: helpEntry("LATENCY", "2.8.13", HELP),
        HISTOGRAM: {
          ...entry,
          arity: -2,
          since: "7.0.0",
          complexity: "O(N) where N is the number of commands with latency information being retrieved.",
          summary: "Returns how the latencies of commands are distributed.",
          arguments: "[command [command ...]]",
          tips: everyNode,
          run: (context) => histogram(server, context),
        },
        HISTORY: {
          ...entry,
          arity: 3,
          summary: "Returns the samples of one event.",
          arguments: "event",
          tips: everyNode,
          run: (context) => history(server, context),
        },
        LATEST: {
          ...entry,
          arity: 2,
          summary: "Returns the newest sample of every event.",
          tips: everyNode,
          run: (context) => latest(server, context),
        },
        RESET: {
          ...entry,
          arity: -2,
          summary: "Forgets the samples of some events, or of all.",
          arguments: "[event [event ...]]",
          tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
          run: (context) => reset(server, context),
        },
      },
    },
  };
}

/** LATENCY LATEST: name, when, how long, how long at worst. */
function latest(server: Server, { reply }: CommandContext): void {
  const events = server.latency.events();
  reply.array(events.length);
  for (const { name, samples, worstMs } of events) {
    const newest = samples[samples.length - 1]!;
    reply.array(4);
    reply.bulkText(name);
    reply.integer(newest.atSeconds);
    reply.integer(newest.latencyMs);
    reply.integer(worstMs);
  }
}

/** LATENCY HISTORY event */
function history(server: Server, { request, reply }: CommandContext): void {
  const samples = server.latency.event(request.text(2))?.samples ?? [];
  reply.array(samples.length);
  for (const { atSeconds, latencyMs } of samples) {
    reply.array(2);
    reply.integer(atSeconds);
    reply.integer(latencyMs);
  }
}

/** LATENCY RESET [event ...]: how many events were forgotten. */
function reset(server: Server, { request, reply }: CommandContext): void {
  if (request.count === 2) return reply.integer(server.latency.reset());
  let count = 0;
  for (let argument = 2; argument < request.count; argument++) count += server.latency.reset(request.text(argument));
  reply.integer(count);
}

/** LATENCY HISTOGRAM [command ...]: a name without calls is passed over, a container stands for its subcommands. */
function histogram({ commands }: Server, { request, reply }: CommandContext): void {
  let wanted: readonly Command[] = commands.withSubcommands();
  if (request.count > 2) {
    wanted = [];
    for (let argument = 2; argument < request.count; argument++) {
      wanted = [...wanted, ...namedCommands(commands, request.text(argument))];
    }
  }
  const called = wanted.filter((command) => command.histogram !== undefined);
  reply.map(called.length);
  for (const { fullName, histogram } of called) {
    const pairs = histogram!.cumulative();
    reply.bulkText(fullName);
    reply.map(2);
    reply.bulkText("calls");
    reply.integer(histogram!.total);
    reply.bulkText("histogram_usec");
    reply.map(pairs.length / 2);
    for (const number of pairs) reply.integer(number);
  }
}

/** `name` may be that of a subcommand, `config|get`. */
function namedCommands(commands: CommandIndex, name: string): readonly Command[] {
  const wanted = name.toLowerCase();
  const container = commands.commands.find((command) => command.fullName === wanted);
  if (container !== undefined) return [container, ...(container.subcommands?.commands ?? [])];
  return commands.withSubcommands().filter((command) => command.fullName === wanted);
}

/** LATENCY GRAPH event */
function graph(server: Server, { request, reply }: CommandContext): void {
  const event = server.latency.event(request.text(2));
  if (event === undefined) {
    // A zero byte ends the text, as it ends a C string.
    return reply.errorText(`ERR No samples available for event '${request.text(2).split("\0", 1)[0]}'`);
  }
  reply.verbatim(latencyGraph(event, Math.floor(server.host.clock.nowMs() / 1000)), "txt");
}

// ---- the doctor ---------------------------------------------------------------------------------------------------

function diagnosis(server: Server): string {
  const { latency, config } = server;
  const events = latency.events();
  if (events.length === 0) {
    return latency.thresholdMs === 0
      ? 'Nothing is watched: latency-monitor-threshold is 0. Set it to the milliseconds from which on a delay matters, for instance with "CONFIG SET latency-monitor-threshold 100".\n'
      : `Nothing took ${latency.thresholdMs} ms or longer so far.\n`;
  }
  const nowSeconds = Math.floor(server.host.clock.nowMs() / 1000);
  const lines = events.map((event, index) => `${index + 1}. ${eventText(event, nowSeconds)}`);
  const advice: string[] = [];
  const thresholdUs = config.integer("slowlog-log-slower-than");
  if (latency.event("command") !== undefined || latency.event("fast-command") !== undefined) {
    if (thresholdUs < 0 || thresholdUs > latency.thresholdMs * 1000) {
      advice.push(
        `The slow log misses some of these commands: "CONFIG SET slowlog-log-slower-than ${latency.thresholdMs * 1000}" shows them all.`,
      );
    }
    advice.push("SLOWLOG GET names the commands that took long; ask for less at once, or in smaller pieces.");
  }
  if (latency.event("expire-cycle") !== undefined) {
    advice.push("Many keys expire at the same time: spread their times to live.");
  }
  if (latency.event("eviction-cycle") !== undefined) {
    advice.push("Keys are evicted faster than in passing: raise maxmemory, or write less at once.");
  }
  return `${lines.join("\n")}\n\n${advice.map((text) => `- ${text}`).join("\n")}\n`;
}

function eventText({ name, samples, worstMs }: LatencyEvent, nowSeconds: number): string {
  let sumMs = 0;
  for (const { latencyMs } of samples) sumMs += latencyMs;
  const periodSeconds = Math.max(1, nowSeconds - samples[0]!.atSeconds);
  return `${name}: ${samples.length} delays within ${periodSeconds} s, ${Math.round(sumMs / samples.length)} ms on average, ${worstMs} ms at worst.`;
}
