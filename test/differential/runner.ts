/**
 * Sends the same commands to two servers and reports the first reply, or the first part of the state, that differs.
 *
 *      seed ──► drawSequence ──► run on both ──► replies equal? ──► state equal? ──► next
 *                                    ▲               │ no              │ no
 *                                    └── shrink: leave out commands, shorten arguments, while a difference stays
 *
 *  I1  A sequence starts on empty databases and on a connection as new (RESET, HELLO, FLUSHALL): it depends on nothing before.
 *  I2  A sequence is given by family, seed and index; so is every report.
 *  I3  Expected is always the real server, actual the subject.
 *  I4  A reply that does not come in REPLY_TIMEOUT_MS is a difference, not a hang.
 */
import { encodeCommand, RawClient, type RawTarget } from "../support/raw-client.ts";
import { parseReply, printable } from "../support/reply.ts";
import { SeededRandom } from "../support/seed.ts";
import {
  compareExactly,
  compareIntegers,
  compareUnordered,
  compareUnorderedPairs,
  type ReplyComparison,
} from "./compare.ts";
import { compareDumps } from "./compare-dumps.ts";
import { compareStreamFacts } from "./compare-streams.ts";
import { type CommandForm, drawForm, type Family, pickForm, type Setting } from "./grammar.ts";
import { compareAsIn72, findKnownDifference, type Place } from "./known-differences.ts";

const REPLY_TIMEOUT_MS = 60_000;
/** Connections are replaced now and then, for what RESET leaves as it is. */
const SEQUENCES_PER_CONNECTION = 50;
const SEQUENCES_PER_SPLIT = 11;
const SHRINK_TRIES_MAX = 250;
/** Databases that grammars use. */
const DATABASES = ["0", "1", "9"];

/** What sequences run with where their setting says nothing else: what both servers start with. */
const DEFAULTS: Setting = {
  both: {
    "hash-max-listpack-entries": "512",
    "hash-max-listpack-value": "64",
    "list-max-listpack-size": "-2",
    "list-compress-depth": "0",
    "set-max-intset-entries": "512",
    "zset-max-listpack-entries": "128",
    "zset-max-listpack-value": "64",
    "stream-node-max-entries": "100",
    "stream-node-max-bytes": "4096",
    "hll-sparse-max-bytes": "3000",
  },
  // The listpack sets of 7.2 are what the family of sets looks at: elsewhere sets are as in 7.0.
  subject: { "set-max-listpack-entries": "0", "set-max-listpack-value": "64" },
};

/** How the whole content of a value is read, by its type. */
const READERS: Readonly<Record<string, readonly (readonly [before: string[], after: string[], ReplyComparison])[]>> = {
  string: [[["GET"], [], compareExactly]],
  list: [[["LRANGE"], ["0", "-1"], compareExactly]],
  hash: [[["HGETALL"], [], compareUnorderedPairs]],
  set: [
    [["SMEMBERS"], [], compareUnordered],
    [["SCARD"], [], compareExactly],
  ],
  zset: [
    [["ZRANGE"], ["0", "-1", "WITHSCORES"], compareExactly],
    [["ZCARD"], [], compareExactly],
  ],
  stream: [
    [["XRANGE"], ["-", "+"], compareExactly],
    [["XINFO", "STREAM"], ["FULL", "COUNT", "0"], compareStreamFacts],
  ],
};

export interface DrawnCommand {
  readonly args: readonly Buffer[];
  readonly compare: ReplyComparison;
  /** The server closes the connection after it. */
  readonly isLast: boolean;
}

export interface Sequence {
  readonly protocol: 2 | 3;
  readonly setting: Setting;
  readonly commands: readonly DrawnCommand[];
}

export interface Difference {
  /** What differs, in a sentence with both sides. */
  readonly reason: string;
  /** Index of the command whose reply differs; the number of commands when it is the state afterwards. */
  readonly commandIndex: number;
  readonly expected: Buffer | undefined;
  readonly actual: Buffer | undefined;
}

/** A difference that was found, with the shortest sequence that still shows it. */
export interface Finding {
  readonly family: string;
  readonly seed: number;
  readonly sequenceIndex: number;
  readonly sequence: Sequence;
  readonly difference: Difference;
  /** False when a second run of the same sequence showed no difference. */
  readonly isRepeatable: boolean;
}

export interface FamilyResult {
  readonly commandCount: number;
  readonly errorCount: number;
  readonly findings: readonly Finding[];
  /** Sequences that differed in a way that an earlier finding already shows. */
  readonly repeatedCount: number;
  /** Commands that the subject does not know, and should: their forms were left out. */
  readonly missing: readonly string[];
}

export interface FamilyRun {
  readonly seed: number;
  readonly sequenceCount: number;
  /** Stops after that many findings of different kinds. */
  readonly findingMax?: number;
}

/** Resolves with undefined when `promise` takes longer than REPLY_TIMEOUT_MS. */
async function inTime<T>(promise: Promise<T>): Promise<T | undefined> {
  let alarm: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    alarm = setTimeout(() => resolve(undefined), REPLY_TIMEOUT_MS);
  });
  const result = await Promise.race([promise, late]);
  clearTimeout(alarm);
  return result;
}

/** A question about the state, asked on both servers. */
interface Question {
  readonly args: string[];
  readonly compare: ReplyComparison;
  readonly place: Place;
}

/** One of the two servers: the connection that sequences run on, and one that looks at the state. */
class Side {
  private target: RawTarget;
  private readonly revive: (() => Promise<RawTarget>) | undefined;
  private main: RawClient | undefined;
  private probe: RawClient | undefined;

  constructor(target: RawTarget, revive?: () => Promise<RawTarget>) {
    this.target = target;
    this.revive = revive;
  }

  /** Replies to `commands`, sent in `pieceCount` writes, on the sequence's connection; undefined for those that did not come. */
  async run(commands: readonly (readonly Buffer[])[], pieceCount = 1): Promise<(Buffer | undefined)[]> {
    if (this.main === undefined || this.main.isClosed) this.main = await this.connect();
    return this.send(this.main, commands, pieceCount);
  }

  /** Replies on the connection that no sequence touches. */
  async look(commands: readonly (readonly string[])[]): Promise<(Buffer | undefined)[]> {
    if (this.probe === undefined || this.probe.isClosed) this.probe = await this.connect();
    const bytes = commands.map((args) => args.map((argument) => Buffer.from(argument, "latin1")));
    return this.send(this.probe, bytes, 1);
  }

  renew(): void {
    this.main?.close();
    this.main = undefined;
  }

  close(): void {
    this.main?.close();
    this.probe?.close();
  }

  /** Connects; a server that is gone is started again where that is possible. */
  private async connect(): Promise<RawClient> {
    try {
      return await RawClient.connect(this.target);
    } catch (fault) {
      if (this.revive === undefined) throw fault;
      this.target = await this.revive();
      return RawClient.connect(this.target);
    }
  }

  private async send(
    client: RawClient,
    commands: readonly (readonly Buffer[])[],
    pieceCount: number,
  ): Promise<(Buffer | undefined)[]> {
    const bytes = Buffer.concat(commands.map((args) => encodeCommand(args)));
    const replies: (Buffer | undefined)[] = commands.map(() => undefined);
    const pieceBytes = Math.ceil(bytes.length / pieceCount);
    for (let start = 0; start < bytes.length; start += pieceBytes) {
      if (start > 0) await new Promise((resolve) => setImmediate(resolve));
      client.write(bytes.subarray(start, start + pieceBytes));
    }
    const all = Promise.all(
      commands.map(async (_, index) => {
        replies[index] = await client.nextReply();
      }),
    );
    const isComplete = (await inTime(all)) !== undefined;
    // What still comes would be taken for replies to later commands.
    if (!isComplete) client.close();
    return replies;
  }
}

const toBytes = (...args: string[]): Buffer[] => args.map((argument) => Buffer.from(argument, "latin1"));

/** Draws sequence `index` of a family. `forms` are those that both servers know. */
export function drawSequence(
  forms: readonly CommandForm[],
  seed: number,
  index: number,
  settings: readonly Setting[] = [],
): Sequence {
  const random = new SeededRandom((seed ^ Math.imul(index + 1, 0x9e3779b1)) >>> 0);
  random.uint32();
  const commands: DrawnCommand[] = [];
  for (let count = random.between(5, 60); count > 0; count--) {
    const form = pickForm(forms, random);
    for (const [args, compare] of drawForm(form, random))
      commands.push({ args, compare: compare ?? compareExactly, isLast: form.isLast });
    if (form.isLast) break;
  }
  const protocol = random.chance(0.5) ? 3 : 2;
  return { protocol, setting: settings.length === 0 ? DEFAULTS : random.pick(settings), commands };
}

/** Offset behind the reply that begins at `at`. */
function replyEnd(bytes: Buffer, at: number): number {
  const lineEnd = bytes.indexOf("\r\n", at) + 2;
  const type = String.fromCharCode(bytes[at]!);
  const count = Number(bytes.toString("latin1", at + 1, lineEnd - 2));
  if ("$=!".includes(type)) return count < 0 ? lineEnd : lineEnd + count + 2;
  if (!"*~%>|".includes(type)) return lineEnd;
  let end = lineEnd;
  for (let rest = type === "%" ? 2 * count : type === "|" ? 2 * count + 1 : count; rest > 0; rest--)
    end = replyEnd(bytes, end);
  return end;
}

/** The items of an array reply, each as its own bytes; undefined for what is no array. */
export function splitArray(reply: Buffer): Buffer[] | undefined {
  if (reply[0] !== 0x2a || reply[1] === 0x2d) return undefined;
  const items: Buffer[] = [];
  for (let at = reply.indexOf("\r\n") + 2; at < reply.length; ) {
    const end = replyEnd(reply, at);
    items.push(reply.subarray(at, end));
    at = end;
  }
  return items;
}

/**
 * Follows a sequence through its transactions, by what the real server answers: the items of EXEC's reply are compared as the
 * replies of the commands that were queued.
 */
class TransactionView {
  private queued: DrawnCommand[] | undefined;
  private readonly place: Place;

  constructor(place: Place) {
    this.place = place;
  }

  /** What differs between the replies to `drawn`, undefined when nothing does. */
  compare(drawn: DrawnCommand, expected: Buffer | undefined, actual: Buffer | undefined): string | undefined {
    const name = drawn.args[0]?.toString("latin1").toUpperCase();
    const text = expected?.toString("latin1", 0, 12);
    if (text === "+QUEUED\r\n") {
      this.queued?.push(drawn);
      return compareExactly(expected, actual);
    }
    const queued = this.queued;
    if (name === "MULTI" && text === "+OK\r\n") this.queued = [];
    else if (name === "EXEC" || ((name === "DISCARD" || name === "RESET") && text?.startsWith("+")))
      this.queued = undefined;
    if (name === "EXEC" && queued !== undefined && expected !== undefined && actual !== undefined) {
      const left = splitArray(expected);
      const right = splitArray(actual);
      if (
        left !== undefined &&
        right !== undefined &&
        left.length === queued.length &&
        right.length === queued.length
      ) {
        for (const [index, each] of queued.entries()) {
          const reason = this.compareOne(each, left[index], right[index]);
          const words = each.args.map((argument) => printable(argument, 40)).join(" ");
          if (reason !== undefined) return `reply to the queued ${words}: ${reason}`;
        }
        return undefined;
      }
    }
    return this.compareOne(drawn, expected, actual);
  }

  private compareOne(
    drawn: DrawnCommand,
    expected: Buffer | undefined,
    actual: Buffer | undefined,
  ): string | undefined {
    const reason = compareAsIn72(drawn.compare, drawn.args, expected, actual);
    if (reason === undefined) return undefined;
    return findKnownDifference(drawn.args, expected, actual, this.place) === undefined ? reason : undefined;
  }
}

export class DifferentialRunner {
  private readonly expected: Side;
  private readonly actual: Side;
  private runCount = 0;
  private hasDigest = true;
  private family = "";
  /** Directives that the subject has besides those of the real server. */
  private ownDirectives: readonly string[] = [];

  /** `revive` starts the subject again after it went down, and says where it is; without it that ends the run. */
  constructor(expected: RawTarget, actual: RawTarget, revive?: () => Promise<RawTarget>) {
    this.expected = new Side(expected);
    this.actual = new Side(actual, revive);
  }

  close(): void {
    this.expected.close();
    this.actual.close();
  }

  /** Runs sequences 0 to `sequenceCount` - 1 of `seed`. */
  async runFamily(family: Family, run: FamilyRun): Promise<FamilyResult> {
    this.family = family.name;
    const { forms, missing } = await this.knownForms(family);
    const sequenceCount = Math.ceil(run.sequenceCount * (family.share ?? 1));
    const findings: Finding[] = [];
    const seen = new Set<string>();
    const totals = { commandCount: 0, errorCount: 0, repeatedCount: 0 };
    for (let index = 0; index < sequenceCount && findings.length < (run.findingMax ?? 5); index++) {
      const sequence = drawSequence(forms, run.seed, index, family.settings);
      const { difference, replies } = await this.runSequence(sequence);
      totals.commandCount += sequence.commands.length;
      totals.errorCount += replies.filter((reply) => reply === undefined || reply[0] === 0x2d).length;
      if (difference === undefined) continue;
      const signature = describeKind(sequence, difference);
      if (seen.has(signature)) {
        totals.repeatedCount++;
        continue;
      }
      seen.add(signature);
      const again = await this.runSequence(sequence);
      const small =
        again.difference === undefined ? { sequence, difference } : await this.shrink(sequence, again.difference);
      seen.add(describeKind(small.sequence, small.difference));
      findings.push({
        family: family.name,
        seed: run.seed,
        sequenceIndex: index,
        isRepeatable: again.difference !== undefined,
        ...small,
      });
    }
    return { ...totals, findings, missing };
  }

  /** Runs one sequence on both; the first difference, and the real server's replies. */
  async runSequence(
    sequence: Sequence,
  ): Promise<{ difference: Difference | undefined; replies: (Buffer | undefined)[] }> {
    if (++this.runCount % SEQUENCES_PER_CONNECTION === 0) {
      this.expected.renew();
      this.actual.renew();
    }
    const prelude = [
      toBytes("RESET"),
      toBytes("HELLO", String(sequence.protocol)),
      toBytes("SELECT", "0"),
      toBytes("FLUSHALL"),
    ];
    const commands = sequence.commands.map((drawn) => drawn.args);
    const requests = [...prelude, toBytes("CONFIG", "SET", ...this.directives(sequence.setting, false)), ...commands];
    const ownRequests = [...prelude, toBytes("CONFIG", "SET", ...this.directives(sequence.setting, true)), ...commands];
    const preludeLength = requests.length - commands.length;
    const view = new TransactionView({ family: this.family });
    // Now and then in many pieces, so that requests are also read that end in the next read.
    const pieceCount = this.runCount % SEQUENCES_PER_SPLIT === 0 ? 23 : 1;
    const [expected, actual] = await Promise.all([
      this.expected.run(requests),
      this.actual.run(ownRequests, pieceCount),
    ]);
    if (sequence.commands.at(-1)?.isLast === true) {
      // The server closes these connections: now or in a moment, when the next sequence is on its way.
      this.expected.renew();
      this.actual.renew();
    }
    const replies = expected.slice(preludeLength);
    for (let index = 0; index < requests.length; index++) {
      const left = expected[index];
      const right = actual[index];
      const commandIndex = index - preludeLength;
      if (commandIndex < 0) {
        // HELLO names the server and its version: whether it succeeded is all that counts here.
        if (left?.[0] === right?.[0]) continue;
        const reason = `before the sequence, ${printable(requests[index]![0]!)}: ${compareExactly(left, right)}`;
        return { difference: { reason, commandIndex: 0, expected: left, actual: right }, replies };
      }
      const reason = view.compare(sequence.commands[commandIndex]!, left, right);
      if (reason === undefined) continue;
      return { difference: { reason, commandIndex, expected: left, actual: right }, replies };
    }
    const reason = await this.compareState();
    if (reason === undefined) return { difference: undefined, replies };
    const difference = { reason, commandIndex: sequence.commands.length, expected: undefined, actual: undefined };
    return { difference, replies };
  }

  /** What differs between the two servers' data; undefined when nothing does. */
  private async compareState(): Promise<string | undefined> {
    const listing = DATABASES.flatMap((database) => [["SELECT", database], ["KEYS", "*"], ["DBSIZE"]]);
    const [expected, actual] = await Promise.all([this.expected.look(listing), this.actual.look(listing)]);
    const questions: Question[] = [];
    for (const [place, database] of DATABASES.entries()) {
      const keys = expected[place * 3 + 1];
      const reason =
        compareUnordered(keys, actual[place * 3 + 1]) ?? compareExactly(expected[place * 3 + 2], actual[place * 3 + 2]);
      if (reason !== undefined) return `keys of database ${database} afterwards: ${reason}`;
      if (keys === undefined) return "the real server does not answer KEYS";
      const names = parseReply(keys).items.map((item) => item.text ?? "");
      if (names.length === 0) continue;
      questions.push({ args: ["SELECT", database], compare: compareExactly, place: {} });
      questions.push(...(await this.questionsAbout(database, names)));
    }
    if (this.hasDigest) questions.push({ args: ["DEBUG", "DIGEST"], compare: compareExactly, place: {} });
    const requests = questions.map((question) => question.args);
    const [left, right] = await Promise.all([this.expected.look(requests), this.actual.look(requests)]);
    for (const [index, { args, compare, place }] of questions.entries()) {
      const bytes = args.map((argument) => Buffer.from(argument, "latin1"));
      const reason = compareAsIn72(compare, bytes, left[index], right[index]);
      if (reason === undefined) continue;
      if (findKnownDifference(bytes, left[index], right[index], place) !== undefined) continue;
      const shown = bytes.map((argument) => `"${printable(argument, 60)}"`).join(" ");
      return `state afterwards, ${shown}: ${reason}`;
    }
    return undefined;
  }

  /** What to ask about the keys `names` of a database: everything that a client can learn about a value. */
  private async questionsAbout(database: string, names: readonly string[]): Promise<Question[]> {
    const requests = [["SELECT", database], ...names.map((name) => ["TYPE", name])];
    const types = (await this.expected.look(requests)).slice(1);
    return names.flatMap((name, index) => {
      const type = types[index] === undefined ? "" : (parseReply(types[index]).text ?? "");
      const place: Place = { family: this.family, type };
      const questions: Question[] = [
        { args: ["TYPE", name], compare: compareExactly, place },
        { args: ["PEXPIRETIME", name], compare: compareIntegers(4000), place },
        { args: ["OBJECT", "ENCODING", name], compare: compareExactly, place },
        { args: ["DUMP", name], compare: compareDumps, place },
      ];
      for (const [before, after, compare] of READERS[type] ?? [])
        questions.push({ args: [...before, name, ...after], compare, place });
      if (this.hasDigest) questions.push({ args: ["DEBUG", "DIGEST-VALUE", name], compare: compareExactly, place });
      return questions;
    });
  }

  /** Names and values for CONFIG SET: the setting's, and the defaults of all others. */
  private directives(setting: Setting, isSubject: boolean): string[] {
    const own = { ...DEFAULTS.subject, ...setting.subject };
    return Object.entries({
      ...DEFAULTS.both,
      ...setting.both,
      ...(isSubject
        ? Object.fromEntries(Object.entries(own).filter(([name]) => this.ownDirectives.includes(name)))
        : {}),
    }).flat();
  }

  /** Leaves out of a family what a server does not know, by sending each name alone. */
  private async knownForms(family: Family): Promise<{ forms: CommandForm[]; missing: string[] }> {
    const isUnknown = (reply: Buffer | undefined): boolean =>
      reply !== undefined && /^-ERR unknown (sub)?command/i.test(reply.toString("latin1"));
    this.ownDirectives = [];
    for (const name of Object.keys(DEFAULTS.subject!)) {
      const [reply] = await this.actual.look([["CONFIG", "GET", name]]);
      if (reply?.includes(name)) this.ownDirectives = [...this.ownDirectives, name];
    }
    const forms: CommandForm[] = [];
    const missing: string[] = [];
    for (const form of family.forms) {
      if (form.needs !== undefined && isUnknown((await this.actual.run([toBytes(form.needs)]))[0])) continue;
      if (form.isLast) {
        forms.push(form);
        continue;
      }
      const request = [toBytes(...form.name.split(" "))];
      const [expected, actual] = await Promise.all([this.expected.run(request), this.actual.run(request)]);
      if (form.needs === undefined && isUnknown(actual[0]) && !isUnknown(expected[0])) missing.push(form.name);
      else forms.push(form);
    }
    const digest = await this.actual.look([["DEBUG", "DIGEST"]]);
    this.hasDigest = digest[0] !== undefined && /^\+[0-9a-f]{40}\r\n$/.test(digest[0].toString("latin1"));
    if (!this.hasDigest) missing.push("DEBUG DIGEST");
    return { forms, missing: [...new Set(missing)] };
  }

  /** The shortest sequence found that still differs. */
  private async shrink(
    sequence: Sequence,
    difference: Difference,
  ): Promise<{ sequence: Sequence; difference: Difference }> {
    let best = { sequence, difference };
    let tries = 0;
    const attempt = async (commands: readonly DrawnCommand[], protocol = best.sequence.protocol): Promise<boolean> => {
      if (++tries > SHRINK_TRIES_MAX) return false;
      const candidate: Sequence = { protocol, setting: sequence.setting, commands };
      const { difference: found } = await this.runSequence(candidate);
      if (found === undefined) return false;
      best = { sequence: candidate, difference: found };
      return true;
    };
    await attempt(sequence.commands.slice(0, difference.commandIndex + 1));
    for (let chunk = Math.ceil(best.sequence.commands.length / 2); chunk >= 1; chunk = Math.floor(chunk / 2)) {
      for (let start = 0; start < best.sequence.commands.length; ) {
        const commands = best.sequence.commands.slice();
        commands.splice(start, chunk);
        if (!(await attempt(commands))) start += chunk;
      }
    }
    if (best.sequence.protocol === 3) await attempt(best.sequence.commands, 2);
    for (let index = 0; index < best.sequence.commands.length; index++) {
      for (let place = 1; place < best.sequence.commands[index]!.args.length; place++) {
        const drawn = best.sequence.commands[index]!;
        for (const length of [1, drawn.args[place]!.length >> 1]) {
          const args = drawn.args.map((argument, at) => (at === place ? argument.subarray(0, length) : argument));
          if (length >= drawn.args[place]!.length || drawn.args[place]!.length < 12) continue;
          if (await attempt(best.sequence.commands.with(index, { ...drawn, args }))) break;
        }
      }
    }
    return best;
  }
}

/** What makes two differences one kind: the command and the outlines of both replies. */
function describeKind(sequence: Sequence, difference: Difference): string {
  const args = sequence.commands[difference.commandIndex]?.args ?? [];
  const outline = difference.reason.replace(/\d+/g, "0").replace(/\\x../g, "x").slice(0, 120);
  return `${args[0]?.toString("latin1").toUpperCase() ?? "state"} ${outline}`;
}

/** A finding for people: the commands as redis-cli takes them, and what was answered. */
export function describeFinding(finding: Finding): string {
  const quote = (argument: Buffer): string => {
    const text = argument.toString("latin1");
    return /^[A-Za-z0-9:._*+-]+$/.test(text) && text.length < 80 ? text : `"${printable(argument, 400)}"`;
  };
  const lines = finding.sequence.commands.map(({ args }) => `    ${args.map(quote).join(" ")}`);
  if (finding.sequence.protocol === 3) lines.unshift("    HELLO 3");
  const { both, subject } = finding.sequence.setting;
  if (finding.sequence.setting !== DEFAULTS)
    lines.unshift(
      `    CONFIG SET ${Object.entries({ ...both, ...subject })
        .flat()
        .join(" ")}`,
    );
  const where = `${finding.family}, seed ${finding.seed}, sequence ${finding.sequenceIndex}`;
  const again = finding.isRepeatable ? "" : " (did not repeat)";
  return `${where}${again}:\n  ${finding.difference.reason}\n${lines.join("\n")}`;
}
