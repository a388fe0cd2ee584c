import assert from "node:assert/strict";
import { test } from "node:test";
import { freshSeed, SeededRandom } from "../../../test/support/seed.ts";
import { Arena, ArenaExhausted, SEGMENT_SHIFT, UNIT_MASK } from "../arena/arena.ts";
import { ExhaustingArena } from "../arena/exhausting-arena.test.support.ts";
import { IdTree } from "./id-tree.ts";
import { memberBytes, SCORE_BYTES, writeMember } from "./member-table.ts";
import { ABOVE, BELOW, ScoreTree } from "./score-tree.ts";
import { ROOT_BYTES } from "./sorted-tree-nodes.ts";

interface Member {
  score: number;
  name: string;
  entry: number;
}

/** A score tree beside the sorted array that says what it must hold. */
class Scores {
  readonly arena: Arena;
  readonly tree: ScoreTree;
  readonly root: number;
  readonly model: Member[] = [];

  constructor(arena: Arena = new Arena()) {
    this.arena = arena;
    this.tree = new ScoreTree(arena);
    this.root = this.tree.create();
  }

  /** Number of the model's items below (score, name). */
  place(score: number, name: string): number {
    let from = 0;
    let to = this.model.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      const member = this.model[middle]!;
      if (member.score < score || (member.score === score && member.name < name)) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  makeEntry(name: string): number {
    const bytes = Buffer.from(name);
    const entry = this.arena.allocate(SCORE_BYTES + memberBytes(bytes.length));
    const at = ((entry & UNIT_MASK) << 3) + SCORE_BYTES;
    writeMember(this.arena.bytes[entry >>> SEGMENT_SHIFT]!, at, bytes, 0, bytes.length);
    return entry;
  }

  add(score: number, name: string): void {
    const at = this.place(score, name);
    const isThere = this.model[at]?.score === score && this.model[at]?.name === name;
    const entry = this.makeEntry(name);
    try {
      assert.equal(this.tree.insert(this.root, score, entry), !isThere);
    } catch (error) {
      this.arena.free(entry);
      throw error;
    }
    if (isThere) this.arena.free(entry);
    else this.model.splice(at, 0, { score, name, entry });
  }

  removeAt(at: number): void {
    const [member] = this.model.splice(at, 1);
    assert.ok(this.tree.remove(this.root, member!.score, member!.entry));
    this.arena.free(member!.entry);
  }

  /** Everything that the tree can be asked, against the model. */
  check(): void {
    const { tree, root, model } = this;
    tree.verify(root);
    assert.equal(tree.count(root), model.length);
    assert.equal(tree.seekFirst(root), model.length > 0);
    for (let index = 0; index < model.length; index++) {
      assert.equal(tree.value(), model[index]!.entry);
      assert.equal(tree.score(), model[index]!.score);
      assert.equal(tree.next(), index + 1 < model.length);
    }
    assert.ok(tree.isAtEnd());
    tree.seekLast(root);
    for (let index = model.length - 1; index >= 0; index--) {
      assert.equal(tree.value(), model[index]!.entry);
      assert.equal(tree.previous(), index > 0);
    }
  }

  checkSeeks(score: number, name: string, rank: number): void {
    const { tree, root, model } = this;
    const bytes = Buffer.from(name);
    const at = this.place(score, name);
    const isThere = model[at]?.score === score && model[at]?.name === name;
    assert.equal(tree.seekMember(root, score, bytes, 0, bytes.length), isThere);
    this.checkCursor(at);
    tree.seekScore(root, score, BELOW);
    this.checkCursor(model.filter((member) => member.score < score).length);
    tree.seekScore(root, score, ABOVE);
    this.checkCursor(model.filter((member) => member.score <= score).length);
    assert.equal(tree.seekRank(root, rank), rank < model.length);
    if (rank < model.length) this.checkCursor(rank);
  }

  private checkCursor(rank: number): void {
    const { tree, root, model } = this;
    assert.equal(tree.rank(root), rank);
    assert.equal(tree.isAtEnd(), rank === model.length);
    if (rank < model.length) assert.equal(tree.value(), model[rank]!.entry);
    assert.equal(tree.previous(), rank > 0);
    if (rank > 0) assert.equal(tree.value(), model[rank - 1]!.entry);
  }
}

const SCORES = [
  Number.NEGATIVE_INFINITY,
  -1e300,
  -2.5,
  -1,
  -5e-324,
  0,
  5e-324,
  1,
  2,
  3.75,
  1e300,
  Number.POSITIVE_INFINITY,
];

function randomScore(random: SeededRandom): number {
  const kind = random.below(4);
  if (kind === 0) return SCORES[random.below(SCORES.length)]!;
  return kind === 1 ? random.below(5) : random.below(2_000_000) / 64 - 10_000;
}

test("a score tree holds what a sorted array holds, whatever is added, moved and removed", () => {
  const seed = freshSeed();
  const random = new SeededRandom(seed);
  try {
    for (let round = 0; round < 6; round++) {
      const pair = new Scores();
      const target = [3, 40, 300, 1500, 2500, 2500][round]!;
      let isGrowing = true;
      for (let step = 0; step < target * 4; step++) {
        if (pair.model.length >= target) isGrowing = false;
        if (pair.model.length === 0) isGrowing = true;
        const score = randomScore(random);
        const name = `m${random.below(target)}`;
        const choice = random.below(10);
        if (pair.model.length > 0 && choice === 0) {
          const member = pair.model.splice(random.below(pair.model.length), 1)[0]!;
          const at = pair.place(score, member.name);
          if (pair.model[at]?.score === score && pair.model[at]?.name === member.name) {
            pair.model.splice(pair.place(member.score, member.name), 0, member);
          } else {
            pair.tree.move(pair.root, member.score, score, member.entry);
            pair.model.splice(at, 0, { ...member, score });
          }
        } else if (pair.model.length > 0 && choice < (isGrowing ? 3 : 8)) {
          pair.removeAt(random.below(pair.model.length));
        } else {
          pair.add(score, name);
        }
        pair.tree.verify(pair.root);
        if (step % 64 === 0) {
          pair.check();
          pair.checkSeeks(randomScore(random), `m${random.below(target)}`, random.below(target));
        }
      }
      while (pair.model.length > 0) pair.removeAt(random.below(pair.model.length));
      pair.check();
      pair.arena.free(pair.root);
      assert.equal(pair.arena.usedBytes, 0);
    }
  } catch (error) {
    throw new Error(`seed ${seed}`, { cause: error });
  }
});

test("minus zero and zero are one score", () => {
  const pair = new Scores();
  const first = pair.makeEntry("a");
  assert.ok(pair.tree.insert(pair.root, -0, first));
  assert.equal(pair.tree.insert(pair.root, 0, first), false);
  assert.ok(pair.tree.remove(pair.root, 0, first));
});

test("ascending and descending inserts leave full leaves, random ones four fifths", () => {
  const random = new SeededRandom(1);
  const count = 20_000;
  const bytesFor = (score: (index: number) => number): number => {
    const pair = new Scores();
    for (let index = 0; index < count; index++) {
      pair.tree.insert(pair.root, score(index), pair.makeEntry(`${index}`));
      if (index % 1000 === 0) pair.tree.verify(pair.root);
    }
    pair.tree.verify(pair.root);
    return pair.tree.nodeBytes(pair.root) / count;
  };
  assert.ok(bytesFor((index) => index) < 13.2);
  assert.ok(bytesFor((index) => -index) < 13.2);
  assert.ok(bytesFor(() => random.below(1_000_000)) < 17);
});

test("a range of ranks is removed without looking at what was in it", () => {
  const seed = freshSeed();
  const random = new SeededRandom(seed);
  for (let round = 0; round < 60; round++) {
    const pair = new Scores();
    const count = random.below(3000);
    for (let index = 0; index < count; index++) pair.add(random.below(100), `${index}`);
    while (pair.model.length > 0) {
      const rank = random.below(pair.model.length);
      const run = 1 + random.below(Math.min(pair.model.length - rank, 1 + random.below(2000)));
      for (const member of pair.model.splice(rank, run)) pair.arena.free(member.entry);
      pair.tree.removeRange(pair.root, rank, run);
      pair.check();
    }
    assert.equal(pair.arena.usedBytes, ROOT_BYTES, `seed ${seed}`);
  }
});

test("a tree is built from sorted input, taken over by moved entries, and freed in slices", () => {
  const pair = new Scores();
  for (let index = 0; index < 3000; index++) {
    const name = String(index).padStart(5, "0");
    const entry = pair.makeEntry(name);
    pair.tree.append(pair.root, 7, entry);
    pair.model.push({ score: 7, name, entry });
  }
  pair.check();
  for (let index = 0; index < 3000; index += 7) {
    const member = pair.model[index]!;
    const moved = pair.makeEntry(member.name);
    pair.tree.replace(pair.root, 7, member.entry, moved);
    pair.arena.free(member.entry);
    member.entry = moved;
  }
  pair.check();
  // A cursor that has just stepped into a leaf stands on an item whose key stands higher up, too.
  pair.tree.seekFirst(pair.root);
  for (const member of pair.model) {
    const moved = pair.makeEntry(member.name);
    pair.tree.setValue(pair.root, moved);
    pair.arena.free(member.entry);
    member.entry = moved;
    pair.tree.next();
  }
  pair.check();
  let slices = 1;
  while (!pair.tree.freeLeaves(pair.root, 5)) {
    slices++;
    if (pair.tree.seekLast(pair.root)) assert.ok(pair.model.some((member) => member.entry === pair.tree.value()));
  }
  assert.ok(slices > 10);
  for (const member of pair.model) pair.arena.free(member.entry);
  assert.equal(pair.arena.usedBytes, ROOT_BYTES);
});

test("an insert that finds no memory leaves the tree as it was", () => {
  const seed = freshSeed();
  const random = new SeededRandom(seed);
  const arena = new ExhaustingArena();
  const pair = new Scores(arena);
  let failures = 0;
  for (let index = 0; index < 6000; index++) {
    // In turn at the end, at the beginning and anywhere: all kinds of splits.
    const kind = (index >>> 9) % 3;
    const score = kind === 0 ? index : kind === 1 ? -index : random.below(4000) - 2000;
    const entry = pair.makeEntry(`${index}`);
    for (let left = 0; ; left++) {
      const usedBytes = arena.usedBytes;
      arena.failAfter(left);
      try {
        pair.tree.insert(pair.root, score, entry);
        break;
      } catch (error) {
        if (!(error instanceof ArenaExhausted)) throw error;
        failures++;
        assert.equal(arena.usedBytes, usedBytes, `seed ${seed}`);
        assert.equal(pair.tree.count(pair.root), index);
        pair.tree.verify(pair.root);
      }
    }
    arena.recover();
  }
  assert.ok(failures > 100);
  pair.tree.verify(pair.root);
});

test("an id tree finds, counts and walks ids of all magnitudes", () => {
  const seed = freshSeed();
  const random = new SeededRandom(seed);
  const words = [0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff];
  const arena = new Arena();
  const tree = new IdTree(arena);
  const owner = arena.allocate(3 * ROOT_BYTES);
  const root = owner + 2; // within the owner's cell
  tree.initialize(root);
  const model = new Map<string, { id: number[]; value: number }>();
  const keyOf = (id: number[]): string => id.map((word) => word.toString(16).padStart(8, "0")).join("");
  for (let step = 1; step <= 8000; step++) {
    const id = Array.from({ length: 4 }, () => (random.below(2) ? words[random.below(6)]! : random.below(4)));
    const key = keyOf(id);
    tree.setId(id[0]!, id[1]!, id[2]!, id[3]!);
    assert.equal(tree.find(root), model.get(key)?.value ?? 0);
    if (random.below(3) > 0 || step < 1500) {
      assert.equal(tree.insert(root, step), !model.has(key), `seed ${seed}`);
      if (!model.has(key)) model.set(key, { id, value: step });
    } else {
      assert.equal(tree.remove(root), model.get(key)?.value ?? 0, `seed ${seed}`);
      model.delete(key);
    }
    tree.verify(root);
    if (step % 500 !== 0) continue;
    const sorted = [...model.keys()].sort();
    tree.seekFirst(root);
    for (const sortedKey of sorted) {
      tree.readId();
      assert.equal(keyOf([...tree.id]), sortedKey);
      assert.equal(tree.value(), model.get(sortedKey)!.value);
      tree.next();
    }
    const valueAt = (index: number): number => model.get(sorted[index] ?? "")?.value ?? 0;
    const below = sorted.filter((sortedKey) => sortedKey < key).length;
    const notAbove = sorted.filter((sortedKey) => sortedKey <= key).length;
    assert.equal(tree.seekAtLeast(root) ? tree.value() : 0, valueAt(below));
    assert.equal(tree.seekAbove(root) ? tree.value() : 0, valueAt(notAbove));
    assert.equal(tree.seekBelow(root) ? tree.value() : 0, valueAt(below - 1));
    assert.equal(tree.seekAtMost(root) ? tree.value() : 0, valueAt(notAbove - 1));
  }
  tree.clear(root);
  assert.equal(tree.count(root), 0);
  arena.free(owner);
  assert.equal(arena.usedBytes, 0);
});

test("ids that are appended fill the leaves, and a small tree takes little", () => {
  const arena = new Arena();
  const tree = new IdTree(arena);
  const root = tree.create();
  tree.setId(0, 0, 0, 1);
  tree.append(root, 1);
  assert.equal(tree.nodeBytes(root), 64);
  for (let index = 2; index <= 10_000; index++) {
    tree.setId(0, index >>> 3, 0, index);
    tree.append(root, index);
    if (index % 100 === 0) tree.verify(root);
  }
  tree.verify(root);
  assert.ok(tree.nodeBytes(root) / 10_000 < 23);
});
