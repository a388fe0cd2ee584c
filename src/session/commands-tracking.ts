/**
 * CLIENT TRACKING, CACHING, TRACKINGINFO, GETREDIR.
 *
 *  I1  CLIENT TRACKING changes nothing unless all of its arguments are good.
 *  Source: replies of redis-server 7.0.
 */

import type { CommandContext, CommandFlag, CommandTable } from "../commands/command.ts";
import { NOT_AN_INTEGER, ReplyError, SYNTAX } from "../protocol/errors.ts";
import type { ReplyWriter } from "../protocol/reply-writer.ts";
import { compareBytes } from "./broadcasts.ts";
import type { Client } from "./client.ts";
import { asText } from "./names.ts";
import { clientOf, type SessionServices } from "./services.ts";
import type { TrackingOptions } from "./tracking.ts";

const ONE_REDIRECTION = new ReplyError("ERR A client can only redirect to a single other client");
const NO_SUCH_CLIENT = new ReplyError("ERR The client ID you want redirect to does not exist");
const PREFIX_WITHOUT_BCAST = new ReplyError("ERR PREFIX option requires BCAST mode to be enabled");
const NO_BCAST_SWITCH = new ReplyError(
  "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.",
);
const OPTIONS_WITH_BCAST = new ReplyError("ERR OPTIN and OPTOUT are not compatible with BCAST");
const BOTH_OPTIONS = new ReplyError("ERR You can't specify both OPTIN mode and OPTOUT mode");
const NO_OPTION_SWITCH = new ReplyError(
  "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.",
);
const CACHING_WITHOUT_TRACKING = new ReplyError(
  "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
);
const YES_WITHOUT_OPTIN = new ReplyError(
  "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
);
const NO_WITHOUT_OPTOUT = new ReplyError(
  "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
);

const FLAGS: readonly CommandFlag[] = ["noscript", "loading", "stale"];

/** The subcommands of CLIENT that are about client-side caching. */
export function trackingCommands(session: SessionServices): CommandTable {
  const entry = { group: "connection", acl: ["connection"], complexity: "O(1)", flags: FLAGS } as const;
  return {
    CACHING: {
      ...entry,
      arity: 3,
      since: "6.0.0",
      summary: "Chooses whether the keys of the next command are tracked.",
      arguments: "mode=YES|NO",
      run: caching,
    },
    GETREDIR: {
      ...entry,
      arity: 2,
      since: "6.0.0",
      summary: "Returns the id of the client that gets this connection's invalidation messages, or -1.",
      run: (context) => context.reply.integer(clientOf(context).tracking?.options.redirection ?? -1),
    },
    TRACKING: {
      ...entry,
      arity: -3,
      since: "6.0.0",
      complexity: "O(1). Some options may introduce additional complexity.",
      summary: "Lets the server tell this connection when keys that it has read are changed.",
      arguments:
        "status=<ON|OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [bcast=BCAST] [optin=OPTIN] [optout=OPTOUT] [noloop=NOLOOP]",
      run: (context) => track(session, context),
    },
    TRACKINGINFO: {
      ...entry,
      arity: 2,
      since: "6.2.0",
      summary: "Tells how this connection tracks keys.",
      run: trackingInfo,
    },
  };
}

/** CLIENT TRACKING ON|OFF [REDIRECT id] [PREFIX prefix ...] [BCAST] [OPTIN] [OPTOUT] [NOLOOP] */
function track(session: SessionServices, context: CommandContext): void {
  const { request, reply } = context;
  const client = clientOf(context);
  let redirection = 0;
  let isBroadcast = false;
  let isOptIn = false;
  let isOptOut = false;
  let isNoLoop = false;
  const prefixes: Uint8Array[] = [];
  for (let index = 3; index < request.count; index++) {
    const hasMore = index + 1 < request.count;
    if (request.is(index, "REDIRECT") && hasMore) {
      if (redirection !== 0) return reply.error(ONE_REDIRECTION);
      const id = request.int64(++index);
      if (id === undefined) return reply.error(NOT_AN_INTEGER);
      redirection = Number(id);
      if (session.clients.find(redirection) === undefined) return reply.error(NO_SUCH_CLIENT);
    } else if (request.is(index, "BCAST")) isBroadcast = true;
    else if (request.is(index, "OPTIN")) isOptIn = true;
    else if (request.is(index, "OPTOUT")) isOptOut = true;
    else if (request.is(index, "NOLOOP")) isNoLoop = true;
    else if (request.is(index, "PREFIX") && hasMore) prefixes.push(request.copy(++index));
    else return reply.error(SYNTAX);
  }
  if (request.is(2, "OFF")) {
    session.tracking.disable(client);
    return reply.ok();
  }
  if (!request.is(2, "ON")) return reply.error(SYNTAX);
  const options = { isBroadcast, isOptIn, isOptOut, isNoLoop, redirection };
  if (!isBroadcast && prefixes.length > 0) return reply.error(PREFIX_WITHOUT_BCAST);
  if (!fitsTogether(client, options, reply)) return;
  if (isBroadcast && !isWithoutOverlap(client, prefixes, reply)) return;
  session.tracking.enable(client, options, prefixes);
  reply.ok();
}

/** Whether the options go with each other and with how the client tracks already; else the error is written. */
function fitsTogether(client: Client, options: TrackingOptions, reply: ReplyWriter): boolean {
  const { isBroadcast, isOptIn, isOptOut } = options;
  const before = client.tracking?.options;
  let error: ReplyError | undefined;
  if (before !== undefined && before.isBroadcast !== isBroadcast) error = NO_BCAST_SWITCH;
  else if (isBroadcast && (isOptIn || isOptOut)) error = OPTIONS_WITH_BCAST;
  else if (isOptIn && isOptOut) error = BOTH_OPTIONS;
  else if (before !== undefined && ((isOptIn && before.isOptOut) || (isOptOut && before.isOptIn))) {
    error = NO_OPTION_SWITCH;
  }
  if (error !== undefined) reply.error(error);
  return error === undefined;
}

/** Whether no key can begin with two prefixes of the client; else the error is written. */
function isWithoutOverlap(client: Client, prefixes: readonly Uint8Array[], reply: ReplyWriter): boolean {
  for (let index = 0; index < prefixes.length; index++) {
    const prefix = prefixes[index]!;
    for (const { name } of client.tracking?.prefixes ?? []) {
      if (overlaps(name, prefix)) return refuseOverlap(reply, prefix, "an existing prefix", name);
    }
    for (let other = index + 1; other < prefixes.length; other++) {
      const name = prefixes[other]!;
      if (overlaps(name, prefix)) return refuseOverlap(reply, prefix, "another provided prefix", name);
    }
  }
  return true;
}

function overlaps(left: Uint8Array, right: Uint8Array): boolean {
  const length = Math.min(left.length, right.length);
  return compareBytes(left.subarray(0, length), right.subarray(0, length)) === 0;
}

function refuseOverlap(reply: ReplyWriter, prefix: Uint8Array, kind: string, other: Uint8Array): false {
  reply.errorText(
    `ERR Prefix '${printable(prefix)}' overlaps with ${kind} '${printable(other)}'. Prefixes for a single client must not overlap.`,
  );
  return false;
}

/** As a C string: it ends at a zero byte. */
function printable(bytes: Uint8Array): string {
  return asText(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

/** CLIENT CACHING YES|NO */
function caching(context: CommandContext): void {
  const { request, reply } = context;
  const { tracking } = clientOf(context);
  if (tracking === undefined) return reply.error(CACHING_WITHOUT_TRACKING);
  const isYes = request.is(2, "YES");
  if (!isYes && !request.is(2, "NO")) return reply.error(SYNTAX);
  if (isYes && !tracking.options.isOptIn) return reply.error(YES_WITHOUT_OPTIN);
  if (!isYes && !tracking.options.isOptOut) return reply.error(NO_WITHOUT_OPTOUT);
  tracking.isConsentSet = true;
  reply.ok();
}

/** CLIENT TRACKINGINFO */
function trackingInfo(context: CommandContext): void {
  const { reply } = context;
  const { tracking } = clientOf(context);
  const flags = [tracking === undefined ? "off" : "on"];
  if (tracking !== undefined) {
    const { options, isConsentSet, isRedirectionBroken } = tracking;
    if (options.isBroadcast) flags.push("bcast");
    if (options.isOptIn) flags.push("optin");
    if (options.isOptIn && isConsentSet) flags.push("caching-yes");
    if (options.isOptOut) flags.push("optout");
    if (options.isOptOut && isConsentSet) flags.push("caching-no");
    if (options.isNoLoop) flags.push("noloop");
    if (isRedirectionBroken) flags.push("broken_redirect");
  }
  reply.map(3);
  reply.bulkText("flags");
  reply.set(flags.length);
  for (const flag of flags) reply.bulkText(flag);
  reply.bulkText("redirect");
  reply.integer(tracking?.options.redirection ?? -1);
  reply.bulkText("prefixes");
  const prefixes = [...(tracking?.prefixes ?? [])].sort((left, right) => compareBytes(left.name, right.name));
  reply.array(prefixes.length);
  for (const { name } of prefixes) reply.bulk(name, 0, name.length);
}
