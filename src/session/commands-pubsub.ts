/**
 * SUBSCRIBE and its kin, PUBLISH, SPUBLISH, PUBSUB.
 *
 *  I1  A client that silenced its replies (CLIENT REPLY) hears what it subscribes to, and that it has subscribed.
 *  Source: replies of redis-server 7.0, and where messages to oneself stand in 7.2.
 */

import type { CommandContext, CommandFlag, CommandFunction, CommandSpec, CommandTable } from "../commands/command.ts";
import { globMatch } from "../core/glob.ts";
import type { ByteMap } from "./byte-map.ts";
import type { Client } from "./client.ts";
import { asText } from "./names.ts";
import type { Channel, SubscriptionKind } from "./pubsub.ts";
import { clientOf, type SessionServices } from "./services.ts";

const FLAGS: readonly CommandFlag[] = ["pubsub", "noscript", "loading", "stale"];
const PUBLISH_FLAGS: readonly CommandFlag[] = ["pubsub", "loading", "stale", "fast"];
const ASK_FLAGS: readonly CommandFlag[] = ["pubsub", "loading", "stale"];

const HELP: readonly string[] = [
  "PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
  "CHANNELS [<pattern>]",
  "    Return the currently active channels matching a <pattern> (default: '*').",
  "NUMPAT",
  "    Return number of subscriptions to patterns.",
  "NUMSUB [<channel> ...]",
  "    Return the number of subscribers for the specified channels, excluding",
  "    pattern subscriptions(default: no channels).",
  "SHARDCHANNELS [<pattern>]",
  "    Return the currently active shard level channels matching a <pattern> (default: '*').",
  "SHARDNUMSUB [<shardchannel> ...]",
  "    Return the number of subscribers for the specified shard level channel(s)",
  "HELP",
  "    Prints this help.",
];

/** The table of all pub/sub commands over one session. */
export function pubsubCommands(session: SessionServices): CommandTable {
  const entry = { group: "pubsub", acl: [], since: "2.0.0", flags: FLAGS } as const;
  const shard = {
    ...entry,
    since: "7.0.0",
    keys: [{ flags: ["not_key"], begin: { index: 1 }, find: { lastKey: -1, step: 1, limit: 0 } }],
  } as const;
  return {
    SUBSCRIBE: {
      ...entry,
      arity: -2,
      complexity: "O(N) where N is the number of channels to subscribe to.",
      summary: "Begins to listen to channels.",
      arguments: "channel [channel ...]",
      run: subscribe(session, "channels", "subscribe"),
    },
    UNSUBSCRIBE: {
      ...entry,
      arity: -1,
      complexity: "O(N) where N is the number of clients already subscribed to a channel.",
      summary: "Listens to channels, or to all of them, no longer.",
      arguments: "[channel [channel ...]]",
      run: unsubscribe(session, "channels", "unsubscribe"),
    },
    PSUBSCRIBE: {
      ...entry,
      arity: -2,
      complexity: "O(N) where N is the number of patterns the client is already subscribed to.",
      summary: "Begins to listen to all channels whose name matches a pattern.",
      arguments: "pattern [pattern ...]",
      run: subscribe(session, "patterns", "psubscribe"),
    },
    PUNSUBSCRIBE: {
      ...entry,
      arity: -1,
      complexity:
        "O(N+M) where N is the number of patterns the client is already subscribed and M is the number of total patterns subscribed in the system (by any client).",
      summary: "Listens to channels that match patterns, or any pattern, no longer.",
      arguments: "[pattern [pattern ...]]",
      run: unsubscribe(session, "patterns", "punsubscribe"),
    },
    SSUBSCRIBE: {
      ...shard,
      arity: -2,
      complexity: "O(N) where N is the number of shard channels to subscribe to.",
      summary: "Begins to listen to shard channels.",
      arguments: "shardchannel [shardchannel ...]",
      run: subscribe(session, "shardChannels", "ssubscribe"),
    },
    SUNSUBSCRIBE: {
      ...shard,
      arity: -1,
      complexity: "O(N) where N is the number of clients already subscribed to a shard channel.",
      summary: "Listens to shard channels, or to all of them, no longer.",
      arguments: "[shardchannel [shardchannel ...]]",
      run: unsubscribe(session, "shardChannels", "sunsubscribe"),
    },
    PUBLISH: {
      ...entry,
      flags: PUBLISH_FLAGS,
      arity: 3,
      complexity:
        "O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number of subscribed patterns (by any client).",
      summary: "Sends a message to all that listen to a channel, and returns how often it was received.",
      arguments: "channel message",
      run: publish(session),
    },
    SPUBLISH: {
      ...shard,
      flags: PUBLISH_FLAGS,
      keys: [{ flags: ["not_key"], begin: { index: 1 }, find: { lastKey: 0, step: 1, limit: 0 } }],
      arity: 3,
      complexity: "O(N) where N is the number of clients subscribed to the receiving shard channel.",
      summary: "Sends a message to all that listen to a shard channel, and returns how often it was received.",
      arguments: "shardchannel message",
      run: publishToShard(session),
    },
    PUBSUB: pubsubContainer(session),
  };
}

function pubsubContainer(session: SessionServices): CommandSpec {
  const entry = { group: "pubsub", acl: [], since: "2.8.0", flags: ASK_FLAGS } as const;
  return {
    arity: -2,
    flags: [],
    acl: [],
    group: "pubsub",
    since: "2.8.0",
    complexity: "Depends on subcommand.",
    summary: "Asks who listens to what.",
    subcommands: {
      CHANNELS: {
        ...entry,
        arity: -2,
        complexity:
          "O(N) where N is the number of active channels, and assuming constant time pattern matching (relatively short channels and patterns)",
        summary: "Lists the channels that somebody listens to.",
        arguments: "[pattern=pattern]",
        run: (context) => list(context, session.pubsub.channels),
      },
      HELP: {
        ...entry,
        arity: 2,
        flags: ["loading", "stale"],
        since: "6.2.0",
        complexity: "O(1)",
        summary: "Explains the subcommands.",
        run: help,
      },
      NUMPAT: {
        ...entry,
        arity: 2,
        complexity: "O(1)",
        summary: "Counts the patterns that somebody listens to.",
        run: (context) => context.reply.integer(session.pubsub.patternCount),
      },
      NUMSUB: {
        ...entry,
        arity: -2,
        complexity: "O(N) for the NUMSUB subcommand, where N is the number of requested channels",
        summary: "Counts who listens to each of the channels, without those who listen to patterns.",
        arguments: "[channel [channel ...]]",
        run: (context) => countSubscribers(context, session.pubsub.channels),
      },
      SHARDCHANNELS: {
        ...entry,
        arity: -2,
        since: "7.0.0",
        complexity:
          "O(N) where N is the number of active shard channels, and assuming constant time pattern matching (relatively short shard channels).",
        summary: "Lists the shard channels that somebody listens to.",
        arguments: "[pattern=pattern]",
        run: (context) => list(context, session.pubsub.shardChannels),
      },
      SHARDNUMSUB: {
        ...entry,
        arity: -2,
        since: "7.0.0",
        complexity: "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels",
        summary: "Counts who listens to each of the shard channels.",
        arguments: "[shardchannel [shardchannel ...]]",
        run: (context) => countSubscribers(context, session.pubsub.shardChannels),
      },
    },
  };
}

// ---- listening -----------------------------------------------------------------------------------------------------

/** What a reply to (un)subscribing counts: channels and patterns together, shard channels by themselves. */
function countFor(client: Client, kind: SubscriptionKind): number {
  const subscriptions = client.subscriptions;
  if (subscriptions === undefined) return 0;
  if (kind === "shardChannels") return subscriptions.shardChannels.size;
  return subscriptions.channels.size + subscriptions.patterns.size;
}

/** Runs `write`; what it replies reaches the client even while its replies are silenced (I1). */
function spokenAloud(session: SessionServices, write: CommandFunction): CommandFunction {
  const mark = { partCount: 0, position: 0 };
  return (context) => {
    const client = clientOf(context);
    context.reply.mark(mark);
    write(context);
    if (client.replyMode === "on") return;
    const bytes = context.reply.copySince(mark);
    session.mail.deliver(client, bytes, 0, bytes.length);
  };
}

/** SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE name [name ...]: one reply for each. */
function subscribe(session: SessionServices, kind: SubscriptionKind, word: string): CommandFunction {
  return spokenAloud(session, (context) => {
    const { request, reply } = context;
    const client = clientOf(context);
    for (let index = 1; index < request.count; index++) {
      const start = request.offset[index]!;
      const length = request.length[index]!;
      session.pubsub.subscribe(client, kind, request.input, start, length);
      reply.push(3);
      reply.bulkText(word);
      reply.bulk(request.input, start, length);
      reply.integer(countFor(client, kind));
    }
  });
}

/** UNSUBSCRIBE, PUNSUBSCRIBE, SUNSUBSCRIBE [name ...]: without a name all; one reply for each, and one if there is none. */
function unsubscribe(session: SessionServices, kind: SubscriptionKind, word: string): CommandFunction {
  return spokenAloud(session, (context) => {
    const { request, reply } = context;
    const client = clientOf(context);
    for (let index = 1; index < request.count; index++) {
      const start = request.offset[index]!;
      const length = request.length[index]!;
      session.pubsub.unsubscribe(client, kind, request.input, start, length);
      reply.push(3);
      reply.bulkText(word);
      reply.bulk(request.input, start, length);
      reply.integer(countFor(client, kind));
    }
    if (request.count > 1) return;
    const channels = [...(client.subscriptions?.[kind] ?? [])];
    for (const channel of channels) {
      session.pubsub.leave(client, kind, channel);
      reply.push(3);
      reply.bulkText(word);
      reply.bulkBytes(channel.name);
      reply.integer(countFor(client, kind));
    }
    if (channels.length > 0) return;
    reply.push(3);
    reply.bulkText(word);
    reply.nullBulk();
    reply.integer(countFor(client, kind));
  });
}

// ---- speaking ------------------------------------------------------------------------------------------------------

/** PUBLISH channel message. hot path */
function publish(session: SessionServices): CommandFunction {
  return ({ request: { input, offset, length }, reply }) => {
    reply.integer(session.pubsub.publish(input, offset[1]!, length[1]!, input, offset[2]!, length[2]!));
  };
}

/** SPUBLISH shardchannel message */
function publishToShard(session: SessionServices): CommandFunction {
  return ({ request: { input, offset, length }, reply }) => {
    reply.integer(session.pubsub.publishToShard(input, offset[1]!, length[1]!, input, offset[2]!, length[2]!));
  };
}

// ---- asking --------------------------------------------------------------------------------------------------------

function help(context: CommandContext): void {
  context.reply.array(HELP.length);
  for (const line of HELP) context.reply.simple(line);
}

/** PUBSUB CHANNELS, SHARDCHANNELS [pattern] */
function list({ request, reply }: CommandContext, channels: ByteMap<Channel>): void {
  if (request.count > 3) {
    const word = asText(request.text(1)).slice(0, 128);
    reply.errorText(`ERR unknown subcommand or wrong number of arguments for '${word}'. Try PUBSUB HELP.`);
    return;
  }
  let found = channels.all();
  if (request.count === 3) {
    const glob = request.bytes(2);
    found = found.filter(({ name }) => globMatch(glob, 0, glob.length, name, 0, name.length, false));
  }
  reply.array(found.length);
  for (const { name } of found) reply.bulkBytes(name);
}

/** PUBSUB NUMSUB, SHARDNUMSUB [channel ...]: each name, and how many listen to it. */
function countSubscribers({ request, reply }: CommandContext, channels: ByteMap<Channel>): void {
  reply.array((request.count - 2) * 2);
  for (let index = 2; index < request.count; index++) {
    const start = request.offset[index]!;
    const length = request.length[index]!;
    reply.bulk(request.input, start, length);
    reply.integer(channels.find(request.input, start, length)?.subscribers.size ?? 0);
  }
}
