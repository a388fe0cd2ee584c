/**
 * The frame of a measurement of stalls: phases of work on both servers while a prober in a process of its own asks PING.
 *
 *      phase   prepare │ begin ── run ── report        one side after the other, which comes first changes from phase to phase
 *      rows    longest reply less waiting for a CPU, the same with it, 99.9 %, the server's own longest turn, notes
 *
 *  I1  Each phase finds data of the same size on both sides.
 *  I2  Beside the prober's view stands the server's own, where it has one: the longest turn of its event loop
 *      (INFO section "everkey"), reset before each phase.
 */

import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Client } from "./client.ts";
import { startWriteLoad, stopLoad } from "./load.ts";
import { bySide, type Plan, sidesOf } from "./plan.ts";
import type { ProbeReport } from "./prober.ts";
import { residentBytesFast } from "./process-usage.ts";
import { makeRow, type Row } from "./report.ts";
import { pause, type Server, SIDES, type Side, type StartOptions } from "./servers.ts";

const LOAD_SETTLE_MS = 500;
const SAMPLE_MS = 10;
const MB = 1e6;

export interface Phase {
  readonly name: string;
  readonly label: string;
  readonly run: (subject: Subject, notes: Map<string, number>) => Promise<void>;
  /** Work before the prober looks. */
  readonly prepare?: (subject: Subject) => Promise<void>;
}

export interface Subject {
  readonly server: Server;
  readonly client: Client;
  readonly prober: Prober;
}

export interface Outcome {
  readonly report: ProbeReport;
  /** Undefined where the server does not say. */
  readonly turnMs: number | undefined;
  readonly notes: ReadonlyMap<string, number>;
}

/** The other process, seen from here. */
class Prober {
  private readonly child: ChildProcess;

  constructor(server: Server) {
    const script = fileURLToPath(new URL("./prober.js", import.meta.url));
    this.child = fork(script, [`${server.port}`, `${server.processId}`], { serialization: "advanced" });
  }

  async begin(): Promise<void> {
    await this.request("begin");
  }

  report(): Promise<ProbeReport> {
    return this.request("report") as Promise<ProbeReport>;
  }

  private request(message: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const exited = () => reject(new Error("the prober ended"));
      this.child.once("exit", exited);
      this.child.once("message", (answer) => {
        this.child.off("exit", exited);
        resolve(answer);
      });
      this.child.send(message);
    });
  }

  end(): void {
    this.child.kill();
  }
}

export type Outcomes = ReadonlyMap<string, Record<Side, Outcome>>;

/** Runs `phases` in order on a server of each side; the names of the rows begin with `prefix`. */
export async function measurePhases(
  plan: Plan,
  prefix: string,
  phases: readonly Phase[],
  options: StartOptions = {},
): Promise<{ rows: Row[]; outcomes: Outcomes }> {
  const subjects = { subject: await open(plan, "subject", options), redis: await open(plan, "redis", options) };
  const rows: Row[] = [];
  const outcomes = new Map<string, Record<Side, Outcome>>();
  try {
    for (const [round, phase] of phases.entries()) {
      const outcome: Partial<Record<Side, Outcome>> = {};
      for (const side of sidesOf(round)) {
        plan.progress(`${prefix}, ${phase.label.trim()}: ${side}`);
        outcome[side] = await runPhase(phase, subjects[side]);
      }
      outcomes.set(phase.name, outcome as Record<Side, Outcome>);
      rows.push(...phaseRows(`${prefix}/${phase.name}`, phase, outcome as Record<Side, Outcome>));
    }
  } finally {
    for (const side of SIDES) {
      subjects[side].prober.end();
      subjects[side].client.close();
      await plan.factory.stop(subjects[side].server);
    }
  }
  return { rows, outcomes };
}

async function open(plan: Plan, side: Side, options: StartOptions): Promise<Subject> {
  const server = await plan.factory.start(side, options);
  return { server, client: await Client.open(server.port), prober: new Prober(server) };
}

async function runPhase(phase: Phase, subject: Subject): Promise<Outcome> {
  const notes = new Map<string, number>();
  await phase.prepare?.(subject);
  await subject.client.must("CONFIG", "RESETSTAT");
  await subject.prober.begin();
  await phase.run(subject, notes);
  const report = await subject.prober.report();
  const turn = (await subject.client.info("everkey")).get("loop_longest_turn_us");
  return { report, turnMs: turn === undefined ? undefined : Number(turn) / 1000, notes };
}

export async function timed(notes: Map<string, number>, name: string, divisor: number, work: () => Promise<unknown>) {
  const startMs = performance.now();
  await work();
  notes.set(name, (performance.now() - startMs) / divisor);
}

/** The load has settled before `work` begins; what it did until then is in the phase too, in both phases alike. */
export async function underLoad(
  server: Server,
  keyCount: number,
  work: () => Promise<void>,
  command?: readonly string[],
): Promise<void> {
  const load = startWriteLoad(server.port, keyCount, command);
  try {
    await pause(LOAD_SETTLE_MS);
    await work();
  } finally {
    await stopLoad(load);
  }
}

/** What a server does beside its clients, and the fields of INFO that tell of it. */
export interface BackgroundWork {
  readonly command: string;
  readonly progressField: string;
  /** Bytes that a forked child copied. */
  readonly copiedField: string;
}

export const SAVE: BackgroundWork = {
  command: "BGSAVE",
  progressField: "rdb_bgsave_in_progress",
  copiedField: "rdb_last_cow_size",
};

export const REWRITE: BackgroundWork = {
  command: "BGREWRITEAOF",
  progressField: "aof_rewrite_in_progress",
  copiedField: "aof_last_cow_size",
};

export async function inBackground(
  work: BackgroundWork,
  { server, client }: Subject,
  notes: Map<string, number>,
): Promise<void> {
  const before = residentBytesFast(server.processId);
  let highest = before;
  const sampler = setInterval(() => {
    highest = Math.max(highest, residentBytesFast(server.processId));
  }, SAMPLE_MS);
  const startMs = performance.now();
  try {
    await client.must(work.command);
    let fields = await client.info("persistence");
    while (fields.get(work.progressField) !== "0") {
      await pause(2 * SAMPLE_MS);
      fields = await client.info("persistence");
    }
    notes.set("s", (performance.now() - startMs) / 1000);
    // A forked child's copied pages are memory too, and not in the parent's count.
    notes.set("memory MB", (highest - before + Number(fields.get(work.copiedField) ?? 0)) / MB);
  } finally {
    clearInterval(sampler);
  }
}

function phaseRows(id: string, phase: Phase, outcome: Record<Side, Outcome>): Row[] {
  const pick = (value: (outcome: Outcome) => number | undefined) => {
    const samples = bySide<number[]>(() => []);
    for (const side of SIDES) {
      const sample = value(outcome[side]);
      if (sample !== undefined) samples[side].push(sample);
    }
    return samples;
  };
  const rows = [
    makeRow(
      `${id}/net`,
      phase.label,
      "ms max",
      "lower",
      pick(({ report }) => report.netMaxMs),
      worstOf(outcome.subject),
    ),
    makeRow(
      `${id}/raw`,
      "  with waiting for a CPU",
      "ms max",
      "lower",
      pick(({ report }) => report.maxMs),
    ),
    makeRow(
      `${id}/p999`,
      "  99.9 % of replies within",
      "ms",
      "lower",
      pick(({ report }) => report.p999Ms),
    ),
    makeRow(
      `${id}/turn`,
      "  the loop's longest turn",
      "ms",
      "lower",
      pick(({ turnMs }) => turnMs),
    ),
  ];
  const texts: Record<string, [string, string, string]> = {
    s: ["seconds", "  time of it all", "s"],
    "reply ms": ["reply", "  reply after", "ms"],
    "memory MB": ["memory", "  growth of RSS, copied pages", "MB"],
  };
  for (const [note, [suffix, label, unit]] of Object.entries(texts)) {
    const samples = pick(({ notes }) => notes.get(note));
    if (samples.redis.length > 0) rows.push(makeRow(`${id}/${suffix}`, label, unit, "lower", samples));
  }
  return rows;
}

/** When the subject's worst probe happened, for the one who looks for its cause. */
function worstOf({ report }: Outcome): string {
  const worst = report.worst[0];
  return worst === undefined || worst.netMs < 1 ? "" : `(after ${worst.atMs.toFixed(0)} ms)`;
}

/** How much longer the longest reply of phase `name` was than that of phase `without`. */
export function causedRow(outcomes: Outcomes, id: string, label: string, name: string, without: string): Row {
  const caused = (side: Side) => [
    Math.max(0, outcomes.get(name)![side].report.netMaxMs - outcomes.get(without)![side].report.netMaxMs),
  ];
  return makeRow(id, label, "ms max", "lower", { subject: caused("subject"), redis: caused("redis") });
}
