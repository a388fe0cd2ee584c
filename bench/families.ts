/**
 * The commands whose throughput is measured, and the data they meet: one line each. A new family is a new line.
 *
 *      dataset ──pour──► both servers ──► redis-benchmark with `command`, __rand_int__ = a random key of the dataset
 *
 *  I1  Key names are redis-benchmark's: `key:` and twelve digits.
 *  I2  A family that leaves the data other than it found it is marked `spoils`: the next one gets fresh data.
 *  I3  A family whose first probe fails on either server is skipped and named, never measured as an error.
 */

import { encodeCommand } from "./client.ts";

export type DatasetName =
  | "short"
  | "medium"
  | "counters"
  | "lists"
  | "longLists"
  | "hashes"
  | "sets"
  | "sortedSets"
  | "streams"
  | "oneHash"
  | "oneSet"
  | "oneSortedSet"
  | "oneList"
  | "places"
  | "none";

interface Dataset {
  /** How many keys it has when `keyCount` are asked for. */
  readonly keys: (keyCount: number) => number;
  /** The command that makes key `index`, or undefined for no data at all. */
  readonly make: ((index: number) => string) | undefined;
}

export interface Family {
  readonly name: string;
  readonly command: readonly string[];
  readonly dataset: DatasetName;
  readonly spoils?: boolean;
  /** Each request uses a key up: runs are short and get fresh data each. */
  readonly consumes?: boolean;
  /** Measured in quick mode also at P=1 and P=64 and with many keys. */
  readonly isMain?: boolean;
}

/** `000000000042`, as redis-benchmark writes its random numbers. */
function digits(index: number): string {
  return String(index).padStart(12, "0");
}

/** `key:000000000042` */
export function benchmarkKey(index: number): string {
  return `key:${digits(index)}`;
}

const RANDOM_KEY = "key:__rand_int__";
const MEDIUM_VALUE = "x".repeat(100);
const TEN = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

function collection(command: string, ...items: string[]): Dataset {
  return {
    keys: (keyCount) => Math.ceil(keyCount / 10),
    make: (index) => encodeCommand([command, benchmarkKey(index), ...items]),
  };
}

/** One collection that grows by an element a command. */
function one(command: (index: number) => string[]): Dataset {
  return { keys: (keyCount) => keyCount, make: (index) => encodeCommand(command(index)) };
}

export const DATASETS: Readonly<Record<DatasetName, Dataset>> = {
  short: {
    keys: (keyCount) => keyCount,
    make: (index) => `*3\r\n$3\r\nSET\r\n$16\r\n${benchmarkKey(index)}\r\n$3\r\nxxx\r\n`,
  },
  medium: {
    keys: (keyCount) => keyCount,
    make: (index) => encodeCommand(["SET", benchmarkKey(index), MEDIUM_VALUE]),
  },
  counters: {
    keys: (keyCount) => keyCount,
    make: (index) => encodeCommand(["SET", benchmarkKey(index), "100"]),
  },
  lists: collection("RPUSH", ...TEN.map((item) => `item:${item}`)),
  hashes: collection("HSET", ...TEN.flatMap((item) => [`field:${item}`, "xxx"])),
  sets: collection("SADD", ...TEN.map((item) => `member:${item}`)),
  sortedSets: collection("ZADD", ...TEN.flatMap((item) => [`${item * 10}`, `member:${item}`])),
  streams: {
    keys: (keyCount) => Math.ceil(keyCount / 10),
    make: (index) => encodeCommand(["XGROUP", "CREATE", benchmarkKey(index), "group", "0", "MKSTREAM"]),
  },
  longLists: {
    keys: (keyCount) => Math.ceil(keyCount / 1000),
    make: (index) =>
      encodeCommand(["RPUSH", benchmarkKey(index), ...Array.from({ length: 600 }, (_, item) => `item:${item}`)]),
  },
  oneHash: one((index) => ["HSET", "large", `field:${digits(index)}`, "xxx"]),
  oneSet: one((index) => ["SADD", "large", `member:${digits(index)}`]),
  oneSortedSet: one((index) => ["ZADD", "large", `${(index * 7919) % 1_000_003}`, `member:${digits(index)}`]),
  oneList: one((index) => ["RPUSH", "large", `item:${digits(index)}`]),
  // 359 and 169 have no common divisor: 60 671 places, evenly over the earth, before the first one comes again.
  places: one((index) => ["GEOADD", "large", `${(index % 359) - 179}.5`, `${(index % 169) - 84}.25`, `place:${index}`]),
  none: { keys: (keyCount) => keyCount, make: undefined },
};

export const FAMILIES: readonly Family[] = [
  { name: "GET", command: ["GET", RANDOM_KEY], dataset: "short", isMain: true },
  { name: "SET", command: ["SET", RANDOM_KEY, "xxx"], dataset: "short", isMain: true },
  { name: "PING", command: ["PING"], dataset: "short" },
  { name: "EXISTS", command: ["EXISTS", RANDOM_KEY], dataset: "short" },
  { name: "MGET-10", command: ["MGET", ...TEN.map(() => RANDOM_KEY)], dataset: "short" },
  { name: "MSET-10", command: ["MSET", ...TEN.flatMap(() => [RANDOM_KEY, "xxx"])], dataset: "short" },
  { name: "SET-EX", command: ["SET", RANDOM_KEY, "xxx", "EX", "3600"], dataset: "short", spoils: true },
  { name: "EXPIRE", command: ["EXPIRE", RANDOM_KEY, "3600"], dataset: "short", spoils: true },
  { name: "APPEND", command: ["APPEND", RANDOM_KEY, "x"], dataset: "short", spoils: true },
  { name: "DEL", command: ["DEL", RANDOM_KEY], dataset: "short", consumes: true },
  { name: "INCR", command: ["INCR", RANDOM_KEY], dataset: "counters" },
  { name: "GETRANGE", command: ["GETRANGE", RANDOM_KEY, "10", "40"], dataset: "medium" },
  { name: "SETRANGE", command: ["SETRANGE", RANDOM_KEY, "20", "hello"], dataset: "medium" },
  { name: "SETBIT", command: ["SETBIT", RANDOM_KEY, "7", "1"], dataset: "medium" },
  { name: "GETBIT", command: ["GETBIT", RANDOM_KEY, "700"], dataset: "medium" },
  { name: "BITCOUNT", command: ["BITCOUNT", RANDOM_KEY], dataset: "medium" },
  { name: "PFADD", command: ["PFADD", "visitors", "__rand_int__"], dataset: "none", spoils: true },
  { name: "LPUSH", command: ["LPUSH", RANDOM_KEY, "xxx"], dataset: "lists", spoils: true },
  { name: "RPUSH", command: ["RPUSH", RANDOM_KEY, "xxx"], dataset: "lists", spoils: true },
  { name: "LRANGE-10", command: ["LRANGE", RANDOM_KEY, "0", "9"], dataset: "lists" },
  { name: "LINDEX", command: ["LINDEX", RANDOM_KEY, "5"], dataset: "lists" },
  { name: "LPOP", command: ["LPOP", RANDOM_KEY], dataset: "lists", consumes: true },
  { name: "RPOP", command: ["RPOP", RANDOM_KEY], dataset: "lists", consumes: true },
  { name: "LRANGE-100", command: ["LRANGE", RANDOM_KEY, "0", "99"], dataset: "longLists" },
  { name: "LRANGE-600", command: ["LRANGE", RANDOM_KEY, "0", "599"], dataset: "longLists" },
  { name: "HSET", command: ["HSET", RANDOM_KEY, "field:5", "yyy"], dataset: "hashes" },
  { name: "HGET", command: ["HGET", RANDOM_KEY, "field:5"], dataset: "hashes" },
  { name: "HGETALL-10", command: ["HGETALL", RANDOM_KEY], dataset: "hashes" },
  { name: "HINCRBY", command: ["HINCRBY", RANDOM_KEY, "count", "1"], dataset: "hashes", spoils: true },
  { name: "HSET-large", command: ["HSET", "large", "field:__rand_int__", "yyy"], dataset: "oneHash" },
  { name: "HGET-large", command: ["HGET", "large", "field:__rand_int__"], dataset: "oneHash" },
  { name: "SADD", command: ["SADD", RANDOM_KEY, "member:__rand_int__"], dataset: "sets", spoils: true },
  { name: "SISMEMBER", command: ["SISMEMBER", RANDOM_KEY, "member:5"], dataset: "sets" },
  { name: "SMEMBERS-10", command: ["SMEMBERS", RANDOM_KEY], dataset: "sets" },
  { name: "SINTER-2", command: ["SINTER", RANDOM_KEY, RANDOM_KEY], dataset: "sets" },
  { name: "SADD-large", command: ["SADD", "large", "member:__rand_int__"], dataset: "none", spoils: true },
  { name: "SPOP", command: ["SPOP", "large"], dataset: "oneSet", consumes: true },
  { name: "ZADD", command: ["ZADD", RANDOM_KEY, "5", "member:5"], dataset: "sortedSets" },
  { name: "ZSCORE", command: ["ZSCORE", RANDOM_KEY, "member:5"], dataset: "sortedSets" },
  { name: "ZRANGE-5", command: ["ZRANGE", RANDOM_KEY, "20", "60", "BYSCORE"], dataset: "sortedSets" },
  {
    name: "ZADD-large",
    command: ["ZADD", "large", "__rand_int__", "member:__rand_int__"],
    dataset: "none",
    spoils: true,
  },
  { name: "ZRANK-large", command: ["ZRANK", "large", "member:__rand_int__"], dataset: "oneSortedSet" },
  {
    name: "ZRANGE-large",
    command: ["ZRANGE", "large", "__rand_int__", "+inf", "BYSCORE", "LIMIT", "0", "10"],
    dataset: "oneSortedSet",
  },
  {
    name: "ZINCRBY-large",
    command: ["ZINCRBY", "large", "1000", "member:__rand_int__"],
    dataset: "oneSortedSet",
    spoils: true,
  },
  { name: "ZPOPMIN", command: ["ZPOPMIN", "large"], dataset: "oneSortedSet", consumes: true },
  {
    name: "GEOSEARCH",
    command: ["GEOSEARCH", "large", "FROMLONLAT", "13.5", "52.25", "BYRADIUS", "150", "km"],
    dataset: "places",
  },
  { name: "XADD", command: ["XADD", RANDOM_KEY, "*", "field", "value"], dataset: "none", spoils: true },
  {
    name: "XADD-trim",
    command: ["XADD", "log", "MAXLEN", "~", "1000", "*", "field", "value"],
    dataset: "none",
    spoils: true,
  },
  {
    name: "XREADGROUP",
    command: ["XREADGROUP", "GROUP", "group", "consumer", "STREAMS", RANDOM_KEY, ">"],
    dataset: "streams",
  },
  { name: "PUBLISH", command: ["PUBLISH", "channel", "xxx"], dataset: "none" },
];
