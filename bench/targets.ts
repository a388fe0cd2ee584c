/**
 * What the project promises, as data: each target names the rows it judges and the limit.
 *
 *  I1  A row that no target names is only reported.
 *  I2  A `ratio` is Everkey / Redis in the same run; a `value` is Everkey's own number in the row's unit.
 */

interface Target {
  readonly rows: RegExp;
  readonly of: "ratio" | "value";
  readonly relation: "at most" | "at least";
  readonly limit: number;
  /** What the limit counts, when it is a value. */
  readonly unit?: string;
}

export interface Verdict {
  readonly isMet: boolean;
  readonly of: Target["of"];
  readonly text: string;
}

/** Bytes per element, by the row's name. */
function memoryTargets(limits: Readonly<Record<string, number>>): Target[] {
  return Object.entries(limits).map(([name, limit]) => ({
    rows: new RegExp(`^memory/${name}/used$`),
    of: "value",
    relation: "at most",
    limit,
    unit: "bytes",
  }));
}

const TARGETS: readonly Target[] = [
  { rows: /^throughput\/.+\/P=1\/cpu$/, of: "ratio", relation: "at most", limit: 1.15 },
  { rows: /^throughput\/.+\/P=16\/cpu$/, of: "ratio", relation: "at most", limit: 1.0 },
  { rows: /^throughput\/(GET|SET)\/1000000\/P=64\/rps$/, of: "ratio", relation: "at least", limit: 1.2 },
  {
    rows: /^throughput\/(ZADD|ZADD-large|ZRANGE-5|HSET|LPUSH|LPOP|SADD|XADD)\/\d+\/P=64\/rps$/,
    of: "ratio",
    relation: "at least",
    limit: 1.2,
  },
  ...memoryTargets({ "small-hash": 163, hash: 64.5, set: 30.2, "sorted-set": 60, list: 13.2, stream: 13.8 }),
  { rows: /^memory\/1000000\/(used|resident)$/, of: "value", relation: "at most", limit: 48, unit: "bytes" },
  { rows: /^snapshot\/(save|bgsave|load)\/rate$/, of: "ratio", relation: "at least", limit: 1.0 },
  {
    rows: /^stall\/(growth|flush-sync|flush-async|expiry)\/net$/,
    of: "value",
    relation: "at most",
    limit: 5,
    unit: "ms",
  },
  { rows: /^stall\/one(Hash|SortedSet)-bgsave\/net$/, of: "value", relation: "at most", limit: 20, unit: "ms" },
  { rows: /^commands\//, of: "ratio", relation: "at most", limit: 1.0 },
  { rows: /^stall\/bgsave\/caused$/, of: "value", relation: "at most", limit: 5, unit: "ms" },
  { rows: /^stall\/bgsave\/memory$/, of: "value", relation: "at most", limit: 100, unit: "MB" },
  { rows: /^large\/(set|get)\/growth$/, of: "value", relation: "at most", limit: 1.5, unit: "x" },
  { rows: /^log\/pace\/SET\/P=(1|16)\/everysec\/rps$/, of: "ratio", relation: "at least", limit: 1.0 },
  { rows: /^log\/pace\/SET\/P=1\/always\/rps$/, of: "ratio", relation: "at least", limit: 1.5 },
  { rows: /^log\/rewrite\/caused$/, of: "value", relation: "at most", limit: 5, unit: "ms" },
  { rows: /^log\/rewrite\/memory$/, of: "value", relation: "at most", limit: 100, unit: "MB" },
  { rows: /^log\/replay\/redis\/rate$/, of: "ratio", relation: "at least", limit: 1.0 },
  { rows: /^log\/restore\/share$/, of: "value", relation: "at least", limit: 0.8, unit: "x" },
  { rows: /^log\/history\/10000000\/time$/, of: "value", relation: "at most", limit: 10, unit: "s" },
  { rows: /^log\/history\/1000000\/time$/, of: "value", relation: "at most", limit: 1, unit: "s" },
];

/** The verdicts of all targets that name `id`; a number that is missing counts as not met. */
export function judge(id: string, subject: number, ratio: number): Verdict[] {
  const verdicts: Verdict[] = [];
  for (const target of TARGETS) {
    if (!target.rows.test(id)) continue;
    const value = target.of === "ratio" ? ratio : subject;
    const isMet = target.relation === "at most" ? value <= target.limit : value >= target.limit;
    const unit = target.of === "ratio" ? "x" : ` ${target.unit}`;
    verdicts.push({ isMet, of: target.of, text: `${target.relation} ${target.limit}${unit}` });
  }
  return verdicts;
}
