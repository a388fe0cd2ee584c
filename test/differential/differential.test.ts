/**
 * Everkey beside the real server: generated commands of every family, the same replies, the same state.
 *
 *  Each family runs on one fixed seed, so that a change is judged by the same commands, and on one fresh seed, printed.
 *  EVERKEY_DIFF_ROUNDS=N runs N fresh seeds. To repeat a report: npm test -- --only differential --seed SEED
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ChildServer } from "../support/child-server.ts";
import { startSubject } from "../support/everkey.ts";
import { startRedis } from "../support/redis.ts";
import { freshSeed } from "../support/seed.ts";
import { families } from "./families.ts";
import { DifferentialRunner, describeFinding } from "./runner.ts";

const FIXED_SEED = 20_261_120;
const SEQUENCES_PER_SEED = 2000;

/** A subject that goes down is started again so that the sequence which does it can be shrunk; not for ever. */
const DEATHS_MAX = 60;

const newSeed = freshSeed();
const rounds = Number(process.env.EVERKEY_DIFF_ROUNDS ?? 1);
const findingMax = Number(process.env.EVERKEY_DIFF_FINDINGS ?? 5);

describe("Everkey answers as the real server does", () => {
  let redis: ChildServer;
  let subject: ChildServer;
  let runner: DifferentialRunner;

  /** Logs of subjects that went down during the run. */
  const deaths: string[] = [];

  // Without active expiry: DBSIZE would depend on when a server gets to the keys whose time is over. With many ticks a
  // second: Redis looks at the timeouts of waiting clients then.
  async function prepare(server: ChildServer): Promise<ChildServer> {
    const client = await server.connect();
    await client.call("DEBUG", "SET-ACTIVE-EXPIRE", "0");
    await client.call("CONFIG", "SET", "hz", "500");
    client.close();
    return server;
  }

  async function revive(): Promise<ChildServer> {
    deaths.push(subject.log().slice(-3000));
    await subject.kill();
    await subject.stop();
    if (deaths.length > DEATHS_MAX)
      throw new Error(`the subject went down ${DEATHS_MAX} times, at last with:\n${deaths.at(-1)}`);
    subject = await prepare(await startSubject());
    return subject;
  }

  before(async () => {
    redis = await prepare(await startRedis());
    subject = await prepare(await startSubject());
    runner = new DifferentialRunner(redis, subject, revive);
  });

  after(async () => {
    runner?.close();
    await Promise.all([redis?.stop(), subject?.stop()]);
  });

  for (const family of families) {
    const seeds = [FIXED_SEED, ...Array.from({ length: rounds }, (_, round) => (newSeed + round) >>> 0)];
    for (const seed of seeds) {
      test(`${family.name}: the same replies and the same state, seed ${seed}`, async (context) => {
        const result = await runner.runFamily(family, { seed, sequenceCount: SEQUENCES_PER_SEED, findingMax });
        const okShare = 1 - result.errorCount / result.commandCount;
        context.diagnostic(`${result.commandCount} commands, ${Math.round(okShare * 100)} % of them without an error`);
        if (result.findings.length > 0) {
          const log =
            deaths.length === 0
              ? ""
              : `\n\nthe subject went down ${deaths.length} times, at last with:\n${deaths.at(-1)}`;
          const report = result.findings.map(describeFinding).join("\n\n");
          assert.fail(
            `${result.findings.length} kinds of differences, ${result.repeatedCount} more of these:\n\n${report}${log}`,
          );
        }
        assert.deepEqual(result.missing, [], "commands that the subject does not know");
        assert.ok(result.commandCount > SEQUENCES_PER_SEED * 5 * (family.share ?? 1), "the grammar draws commands");
        assert.ok(okShare > 0.3 && okShare < 0.99, "the grammar draws commands that work and commands that fail");
      });
    }
  }
});
