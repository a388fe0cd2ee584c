/**
 * Searching for places: GEOSEARCH, GEOSEARCHSTORE, and the older GEORADIUS and GEORADIUSBYMEMBER.
 *
 *      centre, radius ──► nine cells ──► runs of scores ──► members within the shape ──► order, COUNT ──► reply or store
 *
 *      [NW][N ][NE]
 *      [W ][ C][ E]      cells that lie beside the shape's bounds are left out
 *      [SW][S ][SE]
 *
 *  I1  Without an order, places come as the cells do: centre, N, S, E, W, NE, NW, SE, SW, each by score.
 *  I2  COUNT without ANY means the nearest ones.
 *  I3  Distances that are told or stored are those of C's library to the last bit; others may be a bit off.
 *  Source: replies of redis-server 7.0.
 */

import { ExactTrigonometry } from "../core/exact-trigonometry.ts";
import {
  areaOf,
  boundsOf,
  type Cell,
  Circle,
  cellAt,
  DOUBT_METRES,
  distance,
  firstScore,
  latitudeDistance,
  neighbour,
  type Place,
  placeOf,
  scoreCount,
  stepForRadius,
} from "../core/geohash.ts";
import { ReplyError, SYNTAX } from "../protocol/errors.ts";
import { readInteger } from "./arguments.ts";
import { type CommandContext, type CommandTable, KEY_READ, keyAt } from "./command.ts";
import { placeOfMember, readPlace, readUnit, replyDistance, replyPlace } from "./geo.ts";
import { readSortedSet, WRONG } from "./zset.ts";
import { storeNothing, storeRoot } from "./zset-range.ts";

const NO_MEMBER = new ReplyError("ERR could not decode requested zset member");
const NO_RADIUS = new ReplyError("ERR need numeric radius");
const NEGATIVE_RADIUS = new ReplyError("ERR radius cannot be negative");
const NO_WIDTH = new ReplyError("ERR need numeric width");
const NO_HEIGHT = new ReplyError("ERR need numeric height");
const NEGATIVE_BOX = new ReplyError("ERR height or width cannot be negative");
const COUNT_POSITIVE = new ReplyError("ERR COUNT must be > 0");
const ANY_ALONE = new ReplyError("ERR the ANY argument requires COUNT argument");

/** Which command it is. */
interface Kind {
  /** The argument of the sorted set. */
  readonly key: number;
  /** Where the options begin. */
  readonly options: number;
  readonly centre: "place" | "member" | "option";
  /** STORE and STOREDIST name a key; GEOSEARCHSTORE has it as its first argument. */
  readonly store: "option" | "argument" | "none";
}

/** What the arguments ask for. */
class Search {
  readonly centre: Place = { longitude: 0, latitude: 0 };
  hasCentre = false;
  /** From an option: where the centre comes from. */
  from: "" | "member" | "place" = "";
  /** A radius, or half of a box; in the unit that is given. */
  shape: "" | "circle" | "box" = "";
  width = 0;
  height = 0;
  /** Metres of the unit. */
  unit = 1;
  withDistance = false;
  withHash = false;
  withPlace = false;
  isAny = false;
  order: "" | "asc" | "desc" = "";
  count = 0;
  /** Argument of the key in which the result is stored, 0 none. */
  destination = 0;
  storesDistance = false;
  readonly exact = new ExactTrigonometry();
}

/** What was found: the members' marks (SortedSets.mark) and scores, which say the places; distances if there is an order. */
class Found {
  readonly marks: number[] = [];
  readonly scores: number[] = [];
  readonly metres: number[] = [];
}

// ---- arguments ------------------------------------------------------------------------------------------------------------

function readRadius(context: CommandContext, search: Search, index: number): boolean {
  search.width = readLength(context, index, NO_RADIUS);
  if (Number.isNaN(search.width)) return false;
  if (search.width < 0) {
    context.reply.error(NEGATIVE_RADIUS);
    return false;
  }
  search.height = search.width;
  search.shape = "circle";
  search.unit = readUnit(context, index + 1);
  return !Number.isNaN(search.unit);
}

function readBox(context: CommandContext, search: Search, index: number): boolean {
  search.width = readLength(context, index, NO_WIDTH);
  if (Number.isNaN(search.width)) return false;
  search.height = readLength(context, index + 1, NO_HEIGHT);
  if (Number.isNaN(search.height)) return false;
  if (search.width < 0 || search.height < 0) {
    context.reply.error(NEGATIVE_BOX);
    return false;
  }
  search.shape = "box";
  search.unit = readUnit(context, index + 2);
  return !Number.isNaN(search.unit);
}

function readLength(context: CommandContext, index: number, error: ReplyError): number {
  const value = context.request.float(index);
  if (Number.isNaN(value)) context.reply.error(error);
  return value;
}

/** Takes the centre from the member at argument `index`; without a sorted set it is not looked at. */
function readMember(context: CommandContext, search: Search, record: number, index: number): boolean {
  if (record === 0 || placeOfMember(context, record, index, search.centre)) return true;
  context.reply.error(NO_MEMBER);
  return false;
}

/** Reads all arguments; undefined when the error has been written. */
function readSearch(context: CommandContext, kind: Kind, record: number): Search | undefined {
  const search = new Search();
  if (kind.store === "argument") search.destination = 1;
  if (kind.centre === "place") {
    if (!readPlace(context, 2, search.centre) || !readRadius(context, search, 4)) return undefined;
  } else if (kind.centre === "member" && record !== 0) {
    if (!readMember(context, search, record, 2) || !readRadius(context, search, 3)) return undefined;
  }
  for (let index = kind.options; index < context.request.count; ) {
    const taken = readOption(context, kind, search, record, index);
    if (taken === 0) return undefined;
    index += taken;
  }
  return isComplete(context, kind, search) ? search : undefined;
}

/** Reads the option at argument `index`; returns how many arguments it has, 0 when the error has been written. */
function readOption(context: CommandContext, kind: Kind, search: Search, record: number, index: number): number {
  const { request, reply } = context;
  const behind = request.count - index - 1;
  if (request.is(index, "WITHDIST")) search.withDistance = true;
  else if (request.is(index, "WITHHASH")) search.withHash = true;
  else if (request.is(index, "WITHCOORD")) search.withPlace = true;
  else if (request.is(index, "ANY")) search.isAny = true;
  else if (request.is(index, "ASC")) search.order = "asc";
  else if (request.is(index, "DESC")) search.order = "desc";
  else if (request.is(index, "COUNT") && behind > 0) return readCount(context, search, index + 1) ? 2 : 0;
  else if (kind.store === "argument" && request.is(index, "STOREDIST")) search.storesDistance = true;
  else if (kind.store === "option" && behind > 0 && (request.is(index, "STORE") || request.is(index, "STOREDIST"))) {
    search.destination = index + 1;
    search.storesDistance = request.is(index, "STOREDIST");
    return 2;
  } else if (kind.centre === "option") return readSearchOption(context, search, record, index, behind);
  else {
    reply.error(SYNTAX);
    return 0;
  }
  return 1;
}

/** Options of GEOSEARCH alone. */
function readSearchOption(
  context: CommandContext,
  search: Search,
  record: number,
  index: number,
  behind: number,
): number {
  const { request, reply } = context;
  if (request.is(index, "FROMMEMBER") && behind > 0 && search.from !== "place") {
    search.from = "member";
    return readMember(context, search, record, index + 1) ? 2 : 0;
  }
  if (request.is(index, "FROMLONLAT") && behind > 1 && search.from !== "member") {
    search.from = "place";
    return readPlace(context, index + 1, search.centre) ? 3 : 0;
  }
  if (request.is(index, "BYRADIUS") && behind > 1 && search.shape !== "box") {
    return readRadius(context, search, index + 1) ? 3 : 0;
  }
  if (request.is(index, "BYBOX") && behind > 2 && search.shape !== "circle") {
    return readBox(context, search, index + 1) ? 4 : 0;
  }
  reply.error(SYNTAX);
  return 0;
}

function readCount(context: CommandContext, search: Search, index: number): boolean {
  search.count = readInteger(context, index);
  if (search.count <= 0) context.reply.error(COUNT_POSITIVE);
  return search.count > 0;
}

/** Whether the options go together; the error has been written when not. */
function isComplete(context: CommandContext, kind: Kind, search: Search): boolean {
  const { reply, request } = context;
  if (search.destination !== 0 && (search.withDistance || search.withHash || search.withPlace)) {
    const name = kind.store === "argument" ? "GEOSEARCHSTORE" : "STORE option in GEORADIUS";
    reply.errorText(`ERR ${name} is not compatible with WITHDIST, WITHHASH and WITHCOORD options`);
  } else if (kind.centre === "option" && search.from === "") {
    reply.errorText(`ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for ${request.text(0)}`);
  } else if (kind.centre === "option" && search.shape === "") {
    reply.errorText(`ERR exactly one of BYRADIUS and BYBOX can be specified for ${request.text(0)}`);
  } else if (search.isAny && search.count === 0) {
    reply.error(ANY_ALONE);
  } else {
    return true;
  }
  return false;
}

// ---- the search -----------------------------------------------------------------------------------------------------------

/** The cells that cover the shape, in the order of I1. */
function cellsFor(search: Search): Cell[] {
  const { centre, unit, width, height } = search;
  const isCircle = search.shape === "circle";
  const bounds = boundsOf(centre, unit * (isCircle ? width : width / 2), unit * (isCircle ? height : height / 2));
  const radius = isCircle ? width : Math.sqrt((width / 2) * (width / 2) + (height / 2) * (height / 2));
  let step = stepForRadius(radius * unit, centre.latitude);
  let cell = cellAt(centre.longitude, centre.latitude, step);
  // Near a border of its cell a shape may reach beyond the neighbours: larger cells, then.
  const isTooSmall =
    areaOf(neighbour(cell, 0, 1)).north < bounds.north ||
    areaOf(neighbour(cell, 0, -1)).south > bounds.south ||
    areaOf(neighbour(cell, 1, 0)).east < bounds.east ||
    areaOf(neighbour(cell, -1, 0)).west > bounds.west;
  if (step > 1 && isTooSmall) {
    step--;
    cell = cellAt(centre.longitude, centre.latitude, step);
  }
  const area = areaOf(cell);
  const isExact = step >= 2;
  const hasSouth = !(isExact && area.south < bounds.south);
  const hasNorth = !(isExact && area.north > bounds.north);
  const hasWest = !(isExact && area.west < bounds.west);
  const hasEast = !(isExact && area.east > bounds.east);
  const cells = [cell];
  const add = (isWanted: boolean, columns: number, rows: number): void => {
    if (!isWanted) return;
    const next = neighbour(cell, columns, rows);
    const last = cells[cells.length - 1]!;
    // Of huge shapes the neighbours are the same cells: one that was just walked is not walked again.
    const isSame = cells.length > 1 && last.column === next.column && last.row === next.row;
    if (!isSame) cells.push(next);
  };
  add(hasNorth, 0, 1);
  add(hasSouth, 0, -1);
  add(hasEast, 1, 0);
  add(hasWest, -1, 0);
  add(hasNorth && hasEast, 1, 1);
  add(hasNorth && hasWest, -1, 1);
  add(hasSouth && hasEast, 1, -1);
  add(hasSouth && hasWest, -1, -1);
  return cells;
}

/** Whether a place lies within the box. */
function isInBox(search: Search, place: Place): boolean {
  const { centre, unit, width, height } = search;
  const { longitude, latitude } = place;
  if (latitudeDistance(latitude, centre.latitude) > (height * unit) / 2) return false;
  const limit = (width * unit) / 2;
  const aside = distance(longitude, latitude, centre.longitude, latitude, Math);
  // Exact only where it matters (I3).
  if (Math.abs(aside - limit) > DOUBT_METRES) return aside <= limit;
  return distance(longitude, latitude, centre.longitude, latitude, search.exact) <= limit;
}

function isInCircle(search: Search, circle: Circle, place: Place): boolean {
  const side = circle.side(place);
  return side === 0 ? exactMetres(search, place) <= search.width * search.unit : side > 0;
}

function exactMetres(search: Search, place: Place): number {
  const { centre } = search;
  return distance(centre.longitude, centre.latitude, place.longitude, place.latitude, search.exact);
}

/** The order in which the places are wanted. */
function orderOf(search: Search): "" | "asc" | "desc" {
  if (search.order !== "") return search.order;
  return search.count > 0 && !search.isAny ? "asc" : "";
}

/** hot path: nothing is made for a place that lies outside */
function findPlaces(context: CommandContext, record: number, search: Search): Found {
  const sets = context.keyspace.sortedSets;
  const found = new Found();
  const { centre } = search;
  const limit = search.isAny ? search.count : Number.POSITIVE_INFINITY;
  const hasOrder = orderOf(search) !== "";
  const circle = search.shape === "circle" ? new Circle(centre, search.width * search.unit) : undefined;
  const place: Place = { longitude: 0, latitude: 0 };
  const cells = cellsFor(search);
  for (let index = 0; index < cells.length && found.marks.length < limit; index++) {
    const cell = cells[index]!;
    const low = firstScore(cell);
    const high = low + scoreCount(cell.step);
    for (let isThere = sets.seekScore(record, low); isThere; isThere = sets.step()) {
      const score = sets.orderScore();
      if (score >= high) break;
      placeOf(score, place);
      if (circle === undefined ? !isInBox(search, place) : !isInCircle(search, circle, place)) continue;
      found.marks.push(sets.mark());
      found.scores.push(sets.memberScore());
      if (hasOrder) {
        found.metres.push(distance(centre.longitude, centre.latitude, place.longitude, place.latitude, Math));
      }
      if (found.marks.length >= limit) break;
    }
  }
  return found;
}

/** Indexes of what was found, in the order that is asked for, no more than are asked for. */
function chosen(search: Search, found: Found): number[] {
  const indexes = found.marks.map((_, index) => index);
  const order = orderOf(search);
  if (order === "asc") indexes.sort((left, right) => found.metres[left]! - found.metres[right]!);
  if (order === "desc") indexes.sort((left, right) => found.metres[right]! - found.metres[left]!);
  return search.count > 0 ? indexes.slice(0, search.count) : indexes;
}

function replyFound(context: CommandContext, search: Search, found: Found): void {
  const { reply } = context;
  const sets = context.keyspace.sortedSets;
  const indexes = chosen(search, found);
  const details = Number(search.withDistance) + Number(search.withHash) + Number(search.withPlace);
  const place: Place = { longitude: 0, latitude: 0 };
  reply.array(indexes.length);
  for (const index of indexes) {
    sets.readMarked(found.marks[index]!);
    if (search.withDistance || search.withPlace) placeOf(found.scores[index]!, place);
    if (details > 0) reply.array(details + 1);
    reply.bulk(sets.valueBytes, sets.valueStart, sets.valueLength);
    if (search.withDistance) replyDistance(reply, exactMetres(search, place) / search.unit);
    if (search.withHash) reply.integer(Math.trunc(found.scores[index]!));
    if (search.withPlace) replyPlace(reply, place);
  }
}

function storeFound(context: CommandContext, search: Search, found: Found, event: string): void {
  const sets = context.keyspace.sortedSets;
  const { structure } = sets;
  const indexes = chosen(search, found);
  if (indexes.length === 0) {
    storeNothing(context, search.destination);
    return;
  }
  const place: Place = { longitude: 0, latitude: 0 };
  const root = structure.create();
  try {
    for (const index of indexes) {
      sets.readMarked(found.marks[index]!);
      placeOf(found.scores[index]!, place);
      const { valueBytes: bytes, valueStart: start, valueLength: length } = sets;
      const score = search.storesDistance ? exactMetres(search, place) / search.unit : found.scores[index]!;
      structure.insert(root, structure.hashOf(bytes, start, length), score, bytes, start, length);
    }
  } catch (error) {
    structure.destroy(root);
    throw error;
  }
  storeRoot(context, root, search.destination, event, indexes.length);
}

function search(context: CommandContext, kind: Kind): void {
  const record = readSortedSet(context, kind.key);
  if (record === WRONG) return;
  const wanted = readSearch(context, kind, record);
  if (wanted === undefined) return;
  if (record === 0) {
    if (wanted.destination !== 0) storeNothing(context, wanted.destination);
    else context.reply.array(0);
    return;
  }
  const found = findPlaces(context, record, wanted);
  if (wanted.destination === 0) replyFound(context, wanted, found);
  else storeFound(context, wanted, found, kind.store === "argument" ? "geosearchstore" : "georadiusstore");
}

const GEOSEARCH: Kind = { key: 1, options: 2, centre: "option", store: "none" };
const GEOSEARCHSTORE: Kind = { key: 2, options: 3, centre: "option", store: "argument" };
const GEORADIUS: Kind = { key: 1, options: 6, centre: "place", store: "option" };
const GEORADIUS_RO: Kind = { ...GEORADIUS, store: "none" };
const GEORADIUSBYMEMBER: Kind = { key: 1, options: 5, centre: "member", store: "option" };
const GEORADIUSBYMEMBER_RO: Kind = { ...GEORADIUSBYMEMBER, store: "none" };

export const GEO_SEARCH_COMMANDS: CommandTable = {
  GEORADIUS: {
    arity: -6,
    flags: ["write", "denyoom", "movablekeys"],
    acl: ["geo"],
    keys: [
      keyAt(1, "RO", "access"),
      { flags: ["OW", "update"], begin: { keyword: "STORE", startFrom: 6 }, find: { lastKey: 0, step: 1, limit: 0 } },
      {
        flags: ["OW", "update"],
        begin: { keyword: "STOREDIST", startFrom: 6 },
        find: { lastKey: 0, step: 1, limit: 0 },
      },
    ],
    since: "3.2.0",
    group: "geo",
    complexity:
      "O(N+M*log(M)) where N is the number of members in the cells that cover the area and M the number of places within it.",
    summary: "Returns, or stores, the places within a circle around a point.",
    arguments:
      "key longitude(double) latitude(double) radius(double) <unit=M|KM|FT|MI> [WITHCOORD] [WITHDIST] [WITHHASH] [count=COUNT count [ANY]] [order=ASC|DESC] [STORE key] [STOREDIST key]",
    deprecated: { since: "6.2.0", replacedBy: "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument" },
    history: [
      ["6.2.0", "`COUNT` takes `ANY`."],
      ["7.0.0", "Takes names of units in capitals."],
    ],
    run: (context) => search(context, GEORADIUS),
  },
  GEORADIUSBYMEMBER: {
    arity: -5,
    flags: ["write", "denyoom", "movablekeys"],
    acl: ["geo"],
    keys: [
      keyAt(1, "RO", "access"),
      { flags: ["OW", "update"], begin: { keyword: "STORE", startFrom: 5 }, find: { lastKey: 0, step: 1, limit: 0 } },
      {
        flags: ["OW", "update"],
        begin: { keyword: "STOREDIST", startFrom: 5 },
        find: { lastKey: 0, step: 1, limit: 0 },
      },
    ],
    since: "3.2.0",
    group: "geo",
    complexity:
      "O(N+M*log(M)) where N is the number of members in the cells that cover the area and M the number of places within it.",
    summary: "Returns, or stores, the places within a circle around a member.",
    arguments:
      "key member radius(double) <unit=M|KM|FT|MI> [WITHCOORD] [WITHDIST] [WITHHASH] [count=COUNT count [ANY]] [order=ASC|DESC] [STORE key] [STOREDIST key]",
    deprecated: {
      since: "6.2.0",
      replacedBy: "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
    },
    history: [["7.0.0", "`COUNT` takes `ANY`."]],
    run: (context) => search(context, GEORADIUSBYMEMBER),
  },
  GEORADIUSBYMEMBER_RO: {
    arity: -5,
    flags: ["readonly"],
    acl: ["geo"],
    keys: KEY_READ,
    since: "3.2.10",
    group: "geo",
    complexity:
      "O(N+M*log(M)) where N is the number of members in the cells that cover the area and M the number of places within it.",
    summary: "Returns the places within a circle around a member.",
    arguments:
      "key member radius(double) <unit=M|KM|FT|MI> [WITHCOORD] [WITHDIST] [WITHHASH] [count=COUNT count [ANY]] [order=ASC|DESC]",
    deprecated: { since: "6.2.0", replacedBy: "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments" },
    run: (context) => search(context, GEORADIUSBYMEMBER_RO),
  },
  GEORADIUS_RO: {
    arity: -6,
    flags: ["readonly"],
    acl: ["geo"],
    keys: KEY_READ,
    since: "3.2.10",
    group: "geo",
    complexity:
      "O(N+M*log(M)) where N is the number of members in the cells that cover the area and M the number of places within it.",
    summary: "Returns the places within a circle around a point.",
    arguments:
      "key longitude(double) latitude(double) radius(double) <unit=M|KM|FT|MI> [WITHCOORD] [WITHDIST] [WITHHASH] [count=COUNT count [ANY]] [order=ASC|DESC]",
    deprecated: { since: "6.2.0", replacedBy: "`GEOSEARCH` with the `BYRADIUS` argument" },
    history: [["6.2.0", "`COUNT` takes `ANY`."]],
    run: (context) => search(context, GEORADIUS_RO),
  },
  GEOSEARCH: {
    arity: -7,
    flags: ["readonly"],
    acl: ["geo"],
    keys: KEY_READ,
    since: "6.2.0",
    group: "geo",
    complexity:
      "O(N+M*log(M)) where N is the number of members in the cells that cover the area and M the number of places within it.",
    summary: "Returns the places within a circle or a box.",
    arguments:
      "key <from=FROMMEMBER member|FROMLONLAT longitude(double) latitude(double)> <by=<circle=BYRADIUS radius(double) <unit=M|KM|FT|MI>>|<box=BYBOX <width(double)> height(double) <unit=M|KM|FT|MI>>> [order=ASC|DESC] [count=COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]",
    history: [["7.0.0", "Takes names of units in capitals."]],
    run: (context) => search(context, GEOSEARCH),
  },
  GEOSEARCHSTORE: {
    arity: -8,
    flags: ["write", "denyoom"],
    acl: ["geo"],
    keys: [keyAt(1, "OW", "update"), keyAt(2, "RO", "access")],
    since: "6.2.0",
    group: "geo",
    complexity:
      "O(N+M*log(M)) where N is the number of members in the cells that cover the area and M the number of places within it.",
    summary: "Stores the places within a circle or a box in another key.",
    arguments:
      "destination source <from=FROMMEMBER member|FROMLONLAT longitude(double) latitude(double)> <by=<circle=BYRADIUS radius(double) <unit=M|KM|FT|MI>>|<box=BYBOX <width(double)> height(double) <unit=M|KM|FT|MI>>> [order=ASC|DESC] [count=COUNT count [ANY]] [STOREDIST]",
    history: [["7.0.0", "Takes names of units in capitals."]],
    run: (context) => search(context, GEOSEARCHSTORE),
  },
};
