/**
 * The append-only file: what it costs while clients write (log-pace.ts), while it is rewritten (here), and what can be
 * done with it afterwards (log-files.ts).
 *
 *      rewrite   SET load on N keys │ the same load and BGREWRITEAOF        prober: stall-phases.ts
 *
 *  I1  What a rewrite causes is its phase less the phase with the same writes and no rewrite.
 */

import { encodeCommand } from "./client.ts";
import { benchmarkKey } from "./families.ts";
import { measureLogFiles } from "./log-files.ts";
import { appendOnly, measureLogPace } from "./log-pace.ts";
import type { Plan } from "./plan.ts";
import type { Row } from "./report.ts";
import { pause } from "./servers.ts";
import { causedRow, inBackground, measurePhases, type Phase, REWRITE, underLoad } from "./stall-phases.ts";

const KEY_COUNT = { quick: 1_000_000, normal: 5_000_000, full: 5_000_000 };
const WRITES_MS = { quick: 1_000, normal: 5_000, full: 10_000 };
const KEYS_PER_COMMAND = 20;

export async function measureLog(plan: Plan): Promise<Row[]> {
  return [...(await measureLogPace(plan)), ...(await measureRewrite(plan)), ...(await measureLogFiles(plan))];
}

async function measureRewrite(plan: Plan): Promise<Row[]> {
  const keyCount = KEY_COUNT[plan.mode];
  const millions = `${keyCount / 1e6} M keys`;
  const phases: Phase[] = [
    {
      name: "writes",
      label: `SET load, everysec, ${millions}`,
      prepare: ({ client }) => client.pour(keyCount / KEYS_PER_COMMAND, setSome),
      run: ({ server }) => underLoad(server, keyCount, () => pause(WRITES_MS[plan.mode])),
    },
    {
      name: "rewrite",
      label: `BGREWRITEAOF + SET load, ${millions}`,
      run: (subject, notes) => underLoad(subject.server, keyCount, () => inBackground(REWRITE, subject, notes)),
    },
  ];
  const { rows, outcomes } = await measurePhases(plan, "log", phases, { directives: appendOnly("everysec") });
  return [
    ...rows,
    causedRow(outcomes, "log/rewrite/caused", "caused by BGREWRITEAOF (difference)", "rewrite", "writes"),
  ];
}

function setSome(index: number): string {
  const words = ["MSET"];
  for (let key = index * KEYS_PER_COMMAND; key < (index + 1) * KEYS_PER_COMMAND; key++) {
    words.push(benchmarkKey(key), "xxx");
  }
  return encodeCommand(words);
}
