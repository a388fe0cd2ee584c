/**
 * Places in sorted sets, whose scores are geohashes of 52 bits: GEOADD, GEOPOS, GEODIST, GEOHASH. Searching: geo-search.ts.
 *
 *      GEOADD key 13.361389 38.115556 Palermo  ──► ZADD key 3479099956230698 Palermo
 *
 *  I1  What can be done to a sorted set can be done to these: a member with any other score is a place, too.
 *  Source: replies of redis-server 7.0.
 */

import { ExactTrigonometry } from "../core/exact-trigonometry.ts";
import { distance, geohashText, LATITUDE_MAX, LONGITUDE_MAX, type Place, placeOf, scoreOf } from "../core/geohash.ts";
import { NOT_A_FLOAT, ReplyError, SYNTAX } from "../protocol/errors.ts";
import type { ReplyWriter } from "../protocol/reply-writer.ts";
import { type CommandContext, type CommandTable, KEY_MODIFY, KEY_READ } from "./command.ts";
import { ADD_CHANGED, ADD_NX, ADD_XX, addMembers, readSortedSet, WRONG } from "./zset.ts";

const UNKNOWN_UNIT = new ReplyError("ERR unsupported unit provided. please use M, KM, FT, MI");

/** Metres of the unit at argument `index`; NaN when it is none: the error has been written. */
export function readUnit(context: CommandContext, index: number): number {
  const { request } = context;
  if (request.is(index, "M")) return 1;
  if (request.is(index, "KM")) return 1000;
  if (request.is(index, "FT")) return 0.3048;
  if (request.is(index, "MI")) return 1609.34;
  context.reply.error(UNKNOWN_UNIT);
  return Number.NaN;
}

/** Longitude and latitude at arguments `index` and `index + 1`; false when they are none: the error has been written. */
export function readPlace(context: CommandContext, index: number, into: Place): boolean {
  const { request, reply } = context;
  into.longitude = request.float(index);
  into.latitude = request.float(index + 1);
  if (Number.isNaN(into.longitude) || Number.isNaN(into.latitude)) {
    reply.error(NOT_A_FLOAT);
    return false;
  }
  if (Math.abs(into.longitude) <= LONGITUDE_MAX && Math.abs(into.latitude) <= LATITUDE_MAX) return true;
  reply.errorText(`ERR invalid longitude,latitude pair ${sixDecimals(into.longitude)},${sixDecimals(into.latitude)}`);
  return false;
}

/** As C's %f. */
function sixDecimals(value: number): string {
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Math.abs(value) >= 1e21) return `${BigInt(value)}.000000`;
  return Object.is(value, -0) ? "-0.000000" : value.toFixed(6);
}

/** A distance, as a bulk string with four decimals. */
export function replyDistance(reply: ReplyWriter, metres: number): void {
  reply.bulkText(metres.toFixed(4));
}

/** Longitude and latitude, with up to 17 decimals. */
export function replyPlace(reply: ReplyWriter, place: Place): void {
  reply.array(2);
  reply.decimal(seventeenDecimals(place.longitude));
  reply.decimal(seventeenDecimals(place.latitude));
}

function seventeenDecimals(value: number): string {
  return value.toFixed(17).replace(/\.?0+$/, "");
}

/** Puts the place of the member at argument `index` into `into`; false when it is not there. `record` may be 0. */
export function placeOfMember(context: CommandContext, record: number, index: number, into: Place): boolean {
  const { request, keyspace } = context;
  const sets = keyspace.sortedSets;
  if (record === 0 || !sets.find(record, request.input, request.offset[index]!, request.length[index]!)) return false;
  placeOf(sets.foundScore, into);
  return true;
}

function geoadd(context: CommandContext): void {
  const { request, reply } = context;
  let options = 0;
  let first = 2;
  for (; first < request.count; first++) {
    if (request.is(first, "NX")) options |= ADD_NX;
    else if (request.is(first, "XX")) options |= ADD_XX;
    else if (request.is(first, "CH")) options |= ADD_CHANGED;
    else break;
  }
  const rest = request.count - first;
  const contradicts = (options & ADD_NX) !== 0 && (options & ADD_XX) !== 0;
  if (rest === 0 || rest % 3 !== 0 || contradicts) {
    reply.error(SYNTAX);
    return;
  }
  const scores = new Float64Array(rest / 3);
  const place: Place = { longitude: 0, latitude: 0 };
  for (let index = 0; index < scores.length; index++) {
    if (!readPlace(context, first + index * 3, place)) return;
    scores[index] = scoreOf(place.longitude, place.latitude);
  }
  const dirtyBefore = context.keyspace.dirty;
  addMembers(context, options, first + 2, 3, scores, scores[0]!);
  if (context.log.isRecording && context.keyspace.dirty > dirtyBefore) recordScores(context, first, scores);
}

/** GEOADD as the ZADD that it is: places are not computed again. */
function recordScores({ log, request, database }: CommandContext, first: number, scores: Float64Array): void {
  log.begin(database.index, first + scores.length * 2);
  log.word("ZADD");
  for (let index = 1; index < first; index++) log.argument(request, index);
  for (let index = 0; index < scores.length; index++) {
    log.integer(scores[index]!);
    log.argument(request, first + index * 3 + 2);
  }
}

function geopos(context: CommandContext): void {
  const { request, reply } = context;
  const record = readSortedSet(context, 1);
  if (record === WRONG) return;
  const place: Place = { longitude: 0, latitude: 0 };
  reply.array(request.count - 2);
  for (let index = 2; index < request.count; index++) {
    if (placeOfMember(context, record, index, place)) replyPlace(reply, place);
    else reply.nullArray();
  }
}

function geohash(context: CommandContext): void {
  const { request, reply } = context;
  const record = readSortedSet(context, 1);
  if (record === WRONG) return;
  const place: Place = { longitude: 0, latitude: 0 };
  reply.array(request.count - 2);
  for (let index = 2; index < request.count; index++) {
    if (placeOfMember(context, record, index, place)) reply.bulkText(geohashText(place));
    else reply.nullBulk();
  }
}

function geodist(context: CommandContext): void {
  const { request, reply } = context;
  if (request.count > 5) {
    reply.error(SYNTAX);
    return;
  }
  const unit = request.count === 5 ? readUnit(context, 4) : 1;
  if (Number.isNaN(unit)) return;
  const record = readSortedSet(context, 1);
  if (record === WRONG) return;
  const from: Place = { longitude: 0, latitude: 0 };
  const to: Place = { longitude: 0, latitude: 0 };
  if (placeOfMember(context, record, 2, from) && placeOfMember(context, record, 3, to)) {
    const exact = new ExactTrigonometry();
    const metres = distance(from.longitude, from.latitude, to.longitude, to.latitude, exact);
    replyDistance(reply, metres / unit);
  } else {
    reply.nullBulk();
  }
}

export const GEO_COMMANDS: CommandTable = {
  GEOADD: {
    arity: -5,
    flags: ["write", "denyoom"],
    acl: ["geo"],
    keys: KEY_MODIFY,
    since: "3.2.0",
    group: "geo",
    complexity: "O(log(N)) for each place, where N is the number of members of the sorted set.",
    summary: "Adds places, given by longitude and latitude, to a sorted set, which is made when it is absent.",
    arguments:
      "key [condition=NX|XX] [change=CH] longitude(double) latitude(double) member [longitude(double) latitude(double) member ...]",
    history: [["6.2.0", "Takes `CH`, `NX` and `XX`."]],
    run: geoadd,
  },
  GEODIST: {
    arity: -4,
    flags: ["readonly"],
    acl: ["geo"],
    keys: KEY_READ,
    since: "3.2.0",
    group: "geo",
    complexity: "O(1)",
    summary: "Returns the distance between two places.",
    arguments: "key member1 member2 [unit=M|KM|FT|MI]",
    run: geodist,
  },
  GEOHASH: {
    arity: -2,
    flags: ["readonly"],
    acl: ["geo"],
    keys: KEY_READ,
    since: "3.2.0",
    group: "geo",
    complexity: "O(1) for each place.",
    summary: "Returns places as geohash texts of eleven characters.",
    arguments: "key member [member ...]",
    run: geohash,
  },
  GEOPOS: {
    arity: -2,
    flags: ["readonly"],
    acl: ["geo"],
    keys: KEY_READ,
    since: "3.2.0",
    group: "geo",
    complexity: "O(1) for each place.",
    summary: "Returns longitude and latitude of places.",
    arguments: "key member [member ...]",
    run: geopos,
  },
};
