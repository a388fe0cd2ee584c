/**
 * Sorted sets (and sets, whose members have the score 1) combined: ZUNION, ZINTER, ZDIFF, their STORE forms, ZINTERCARD.
 *
 *      inputs, smallest first ──► members and scores in a table without a key ──► ordered once ──► reply or store
 *
 *  I1  The inputs are not changed, and the destination only when the result is complete: it may be an input.
 *  I2  A weight times a score that is no number (0 times infinity) counts as 0, and so does a sum of both infinities.
 *  Source: replies of redis-server 7.0.
 */

import { ReplyError, SYNTAX, WRONG_TYPE } from "../protocol/errors.ts";
import { TYPE_SET, TYPE_ZSET } from "../store/keyspace/record.ts";
import { readInteger } from "./arguments.ts";
import { type CommandContext, type CommandTable, countedKeys, keyAt } from "./command.ts";
import { storeNothing, storeRoot } from "./zset-range.ts";

const NO_WEIGHT = new ReplyError("ERR weight value is not a float");
const NEGATIVE_LIMIT = new ReplyError("ERR LIMIT can't be negative");

type Operation = "union" | "inter" | "diff";
type Aggregate = "SUM" | "MIN" | "MAX";

/** One input. */
interface Input {
  /** 0 when the key is absent. */
  readonly record: number;
  readonly isSet: boolean;
  readonly size: number;
  weight: number;
}

/** What the arguments ask for. */
interface Combination {
  readonly operation: Operation;
  readonly inputs: Input[];
  aggregate: Aggregate;
  withScores: boolean;
  /** ZINTERCARD's LIMIT, 0 none. */
  limit: number;
}

/** Reads `numkeys key ... [options]` from argument `first` on. Undefined when the error has been written. */
function read(
  context: CommandContext,
  name: string,
  operation: Operation,
  first: number,
  isStore: boolean,
): Combination | undefined {
  const { request, reply } = context;
  const isCard = name === "zintercard";
  const count = readInteger(context, first);
  if (Number.isNaN(count)) return undefined;
  if (count < 1) {
    reply.errorText(`ERR at least 1 input key is needed for '${name}' command`);
    return undefined;
  }
  if (count > request.count - first - 1) {
    reply.error(SYNTAX);
    return undefined;
  }
  const inputs: Input[] = [];
  for (let index = first + 1; index <= first + count; index++) {
    const input = readInput(context, index);
    if (input === undefined) return undefined;
    inputs.push(input);
  }
  const combination: Combination = { operation, inputs, aggregate: "SUM", withScores: false, limit: 0 };
  for (let index = first + count + 1; index < request.count; ) {
    const left = request.count - index;
    const mayWeigh = operation !== "diff" && !isCard;
    if (mayWeigh && left > count && request.is(index, "WEIGHTS")) {
      index++;
      for (const input of inputs) {
        input.weight = request.float(index++);
        if (!Number.isNaN(input.weight)) continue;
        reply.error(NO_WEIGHT);
        return undefined;
      }
    } else if (mayWeigh && left > 1 && request.is(index, "AGGREGATE") && isAggregate(context, index + 1)) {
      combination.aggregate = request.text(index + 1).toUpperCase() as Aggregate;
      index += 2;
    } else if (!isStore && !isCard && request.is(index, "WITHSCORES")) {
      combination.withScores = true;
      index++;
    } else if (isCard && left > 1 && request.is(index, "LIMIT")) {
      combination.limit = readInteger(context, index + 1, NEGATIVE_LIMIT);
      if (Number.isNaN(combination.limit)) return undefined;
      if (combination.limit < 0) {
        reply.error(NEGATIVE_LIMIT);
        return undefined;
      }
      index += 2;
    } else {
      reply.error(SYNTAX);
      return undefined;
    }
  }
  if (operation !== "diff") inputs.sort((left, right) => left.size - right.size);
  return combination;
}

function isAggregate(context: CommandContext, index: number): boolean {
  const { request } = context;
  return request.is(index, "SUM") || request.is(index, "MIN") || request.is(index, "MAX");
}

function readInput(context: CommandContext, index: number): Input | undefined {
  const { request, keyspace } = context;
  const record = keyspace.lookupRead(context.database, request.input, request.offset[index]!, request.length[index]!);
  if (record === 0) return { record, isSet: false, size: 0, weight: 1 };
  const type = keyspace.records.type(record);
  if (type === TYPE_ZSET) return { record, isSet: false, size: keyspace.sortedSets.count(record), weight: 1 };
  if (type === TYPE_SET) return { record, isSet: true, size: keyspace.sets.count(record), weight: 1 };
  context.reply.error(WRONG_TYPE);
  return undefined;
}

/** Walks the members of one input; what it stands on is copied, so that any other value may be looked into meanwhile. */
class Walk {
  bytes: Uint8Array;
  length: number;
  score: number;
  private readonly context: CommandContext;
  private readonly input: Input;
  private hasBegun: boolean;

  constructor(context: CommandContext, input: Input) {
    this.bytes = new Uint8Array(64);
    this.length = 0;
    this.score = 1;
    this.context = context;
    this.input = input;
    this.hasBegun = false;
  }

  next(): boolean {
    const { record, isSet, size } = this.input;
    if (size === 0) return false;
    const { sets, sortedSets } = this.context.keyspace;
    const from = isSet ? sets : sortedSets;
    if (!this.hasBegun && isSet) sets.startWalk(record);
    const isThere = this.hasBegun || isSet ? from.next() : sortedSets.seek(record, 0);
    this.hasBegun = true;
    if (!isThere) return false;
    this.length = from.valueLength;
    if (this.length > this.bytes.length) this.bytes = new Uint8Array(this.length * 2);
    const { bytes } = this;
    const { valueBytes, valueStart } = from;
    for (let index = 0; index < this.length; index++) bytes[index] = valueBytes[valueStart + index]!;
    if (!isSet) this.score = sortedSets.memberScore();
    return true;
  }
}

/** The score of the walk's member in another input, NaN when it is not in it. */
function scoreIn(context: CommandContext, input: Input, walk: Walk): number {
  const { sets, sortedSets } = context.keyspace;
  if (input.size === 0) return Number.NaN;
  if (input.isSet) return sets.has(input.record, walk.bytes, 0, walk.length) ? 1 : Number.NaN;
  return sortedSets.find(input.record, walk.bytes, 0, walk.length) ? sortedSets.foundScore : Number.NaN;
}

function weighted(weight: number, score: number): number {
  const value = weight * score;
  return Number.isNaN(value) ? 0 : value;
}

function join(aggregate: Aggregate, target: number, value: number): number {
  if (aggregate === "MIN") return value < target ? value : target;
  if (aggregate === "MAX") return value > target ? value : target;
  const sum = target + value;
  return Number.isNaN(sum) ? 0 : sum;
}

/** The score that the walk's member has in the result, NaN when it is not in it: for an intersection or a difference. */
function resultScore(context: CommandContext, combination: Combination, walk: Walk): number {
  const { operation, inputs, aggregate } = combination;
  const isDifference = operation === "diff";
  let score = isDifference ? walk.score : weighted(inputs[0]!.weight, walk.score);
  for (let index = 1; index < inputs.length; index++) {
    const input = inputs[index]!;
    const found = scoreIn(context, input, walk);
    if (isDifference !== Number.isNaN(found)) return Number.NaN;
    if (!isDifference) score = join(aggregate, score, input.weight * found);
  }
  return score;
}

/** Makes the result, a structure that belongs to no key; its root, 0 when it is empty. Throws ArenaExhausted. */
function combine(context: CommandContext, combination: Combination): number {
  const { structure } = context.keyspace.sortedSets;
  const { operation, inputs, aggregate } = combination;
  const root = structure.create();
  try {
    for (const input of operation === "union" ? inputs : inputs.slice(0, 1)) {
      const walk = new Walk(context, input);
      while (walk.next()) {
        const score =
          operation === "union" ? weighted(input.weight, walk.score) : resultScore(context, combination, walk);
        if (Number.isNaN(score)) continue;
        const hash = structure.hashOf(walk.bytes, 0, walk.length);
        const entry = operation === "union" ? structure.find(root, hash, walk.bytes, 0, walk.length) : 0;
        if (entry === 0) structure.insertUnordered(root, hash, score, walk.bytes, 0, walk.length);
        else structure.setUnordered(entry, join(aggregate, structure.score(entry), score));
      }
    }
    structure.order(root);
  } catch (error) {
    structure.destroy(root);
    throw error;
  }
  if (structure.size(root) > 0) return root;
  structure.destroy(root);
  return 0;
}

function answer(context: CommandContext, name: string, operation: Operation): void {
  const combination = read(context, name, operation, 1, false);
  if (combination === undefined) return;
  const { reply } = context;
  const root = combine(context, combination);
  if (root === 0) {
    reply.array(0);
    return;
  }
  const { structure } = context.keyspace.sortedSets;
  const { tree } = structure;
  const { withScores } = combination;
  const isNested = withScores && reply.protocol === 3;
  const count = tree.count(root);
  reply.array(withScores && !isNested ? count * 2 : count);
  for (let isThere = tree.seekFirst(root); isThere; isThere = tree.next()) {
    const entry = tree.value();
    if (isNested) reply.array(2);
    reply.bulk(structure.memberBytes(entry), structure.memberStart(entry), structure.memberLength(entry));
    if (withScores) reply.double(structure.score(entry));
  }
  structure.destroy(root);
}

function store(context: CommandContext, name: string, operation: Operation): void {
  const combination = read(context, name, operation, 2, true);
  if (combination === undefined) return;
  const root = combine(context, combination);
  if (root === 0) storeNothing(context, 1);
  else storeRoot(context, root, 1, name);
}

function countCommon(context: CommandContext): void {
  const combination = read(context, "zintercard", "inter", 1, false);
  if (combination === undefined) return;
  const { inputs, limit } = combination;
  const walk = new Walk(context, inputs[0]!);
  let count = 0;
  while ((limit === 0 || count < limit) && walk.next()) {
    let index = 1;
    while (index < inputs.length && !Number.isNaN(scoreIn(context, inputs[index]!, walk))) index++;
    if (index === inputs.length) count++;
  }
  context.reply.integer(count);
}

const KEYS_COMBINED = [countedKeys(1, "RO", "access")];
const KEYS_STORED = [keyAt(1, "OW", "update"), countedKeys(2, "RO", "access")];

export const ZSET_COMBINE_COMMANDS: CommandTable = {
  ZDIFF: {
    arity: -3,
    flags: ["readonly", "movablekeys"],
    acl: ["sortedset"],
    keys: KEYS_COMBINED,
    since: "6.2.0",
    group: "sorted-set",
    complexity:
      "O(N*K)+O(M*log(M)) where N is the number of members of the first input, K the number of inputs and M the number of members of the result.",
    summary: "Returns the members of the first sorted set or set that are in none of the others.",
    arguments: "numkeys(integer) key [key ...] [WITHSCORES]",
    run: (context) => answer(context, "zdiff", "diff"),
  },
  ZDIFFSTORE: {
    arity: -4,
    flags: ["write", "denyoom", "movablekeys"],
    acl: ["sortedset"],
    keys: KEYS_STORED,
    since: "6.2.0",
    group: "sorted-set",
    complexity:
      "O(N*K)+O(M*log(M)) where N is the number of members of the first input, K the number of inputs and M the number of members of the result.",
    summary: "Stores the members of the first sorted set or set that are in none of the others.",
    arguments: "destination numkeys(integer) key [key ...]",
    run: (context) => store(context, "zdiffstore", "diff"),
  },
  ZINTER: {
    arity: -3,
    flags: ["readonly", "movablekeys"],
    acl: ["sortedset"],
    keys: KEYS_COMBINED,
    since: "6.2.0",
    group: "sorted-set",
    complexity:
      "O(N*K)+O(M*log(M)) where N is the number of members of the smallest input, K the number of inputs and M the number of members of the result.",
    summary: "Returns the members that are in all of several sorted sets or sets, with their scores combined.",
    arguments:
      "numkeys(integer) key [key ...] [WEIGHTS weight(integer) [weight(integer) ...]] [AGGREGATE <aggregate=SUM|MIN|MAX>] [WITHSCORES]",
    run: (context) => answer(context, "zinter", "inter"),
  },
  ZINTERCARD: {
    arity: -3,
    flags: ["readonly", "movablekeys"],
    acl: ["sortedset"],
    keys: KEYS_COMBINED,
    since: "7.0.0",
    group: "sorted-set",
    complexity: "O(N*K) where N is the number of members of the smallest input and K the number of inputs.",
    summary: "Counts the members that are in all of several sorted sets or sets, up to a limit.",
    arguments: "numkeys(integer) key [key ...] [LIMIT limit(integer)]",
    run: countCommon,
  },
  ZINTERSTORE: {
    arity: -4,
    flags: ["write", "denyoom", "movablekeys"],
    acl: ["sortedset"],
    keys: KEYS_STORED,
    since: "2.0.0",
    group: "sorted-set",
    complexity:
      "O(N*K)+O(M*log(M)) where N is the number of members of the smallest input, K the number of inputs and M the number of members of the result.",
    summary: "Stores the members that are in all of several sorted sets or sets, with their scores combined.",
    arguments:
      "destination numkeys(integer) key [key ...] [WEIGHTS weight(integer) [weight(integer) ...]] [AGGREGATE <aggregate=SUM|MIN|MAX>]",
    run: (context) => store(context, "zinterstore", "inter"),
  },
  ZUNION: {
    arity: -3,
    flags: ["readonly", "movablekeys"],
    acl: ["sortedset"],
    keys: KEYS_COMBINED,
    since: "6.2.0",
    group: "sorted-set",
    complexity:
      "O(N)+O(M*log(M)) where N is the number of members of all inputs and M the number of those in the result.",
    summary: "Returns the members that are in any of several sorted sets or sets, with their scores combined.",
    arguments:
      "numkeys(integer) key [key ...] [WEIGHTS weight(integer) [weight(integer) ...]] [AGGREGATE <aggregate=SUM|MIN|MAX>] [WITHSCORES]",
    run: (context) => answer(context, "zunion", "union"),
  },
  ZUNIONSTORE: {
    arity: -4,
    flags: ["write", "denyoom", "movablekeys"],
    acl: ["sortedset"],
    keys: KEYS_STORED,
    since: "2.0.0",
    group: "sorted-set",
    complexity:
      "O(N)+O(M*log(M)) where N is the number of members of all inputs and M the number of those in the result.",
    summary: "Stores the members that are in any of several sorted sets or sets, with their scores combined.",
    arguments:
      "destination numkeys(integer) key [key ...] [WEIGHTS weight(integer) [weight(integer) ...]] [AGGREGATE <aggregate=SUM|MIN|MAX>]",
    run: (context) => store(context, "zunionstore", "union"),
  },
};
