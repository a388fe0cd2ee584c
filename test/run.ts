/**
 * `npm test`: everything that must hold, in one run.
 *
 *      tools of the real Redis there? ──► biome check ──► node --test over dist/**\/*.test.js ──► exit code
 *          └─ no: apt-get (root, or sudo without a password) ── not possible: the one line to type, exit code 1
 *
 *  npm test -- --only PATTERN     files whose path holds PATTERN; when no path does, tests whose name matches it
 *  npm test -- --seed N           the seed of all random tests (otherwise a fresh one, printed at the start)
 *
 *  I1  Nothing is skipped: what cannot run fails the run.
 *  I2  The exit code is 0 when every step passed, 1 when one failed, 2 for wrong usage.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { delimiter, join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { repositoryRoot } from "./support/repository.ts";
import { freshSeed } from "./support/seed.ts";

const TOOLS = ["redis-server", "redis-cli", "redis-benchmark", "redis-check-rdb"];
const INSTALL = "apt-get update && apt-get install -y --no-install-recommends redis-server redis-tools";
const TEST_TIMEOUT_MS = 900_000;
const LONG_TEST_TIMEOUT_MS = 4 * 3_600_000;
/** Most tests wait for servers now and then: a little more than one test per processor keeps both busy. */
const EXTRA_TESTS = 1;

/** Those of `TOOLS` that are not on the path. */
function missingTools(): string[] {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  const isThere = (tool: string): boolean =>
    folders.some((folder) => {
      try {
        accessSync(join(folder, tool), constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
  return TOOLS.filter((tool) => !isThere(tool));
}

/** Installs what is missing; true when everything is there afterwards. */
function provideTools(): boolean {
  const missing = missingTools();
  if (missing.length === 0) return true;
  const isRoot = process.getuid?.() === 0;
  console.log(`missing: ${missing.join(", ")}; installing Debian's redis-server and redis-tools`);
  // A package's own start script must not start a server on this machine.
  const policy = "printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d";
  const guarded = `if [ -e /usr/sbin/policy-rc.d ]; then ${INSTALL}; else ${policy}; ${INSTALL}; result=$?; rm -f /usr/sbin/policy-rc.d; exit $result; fi`;
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const [program, args] = isRoot
    ? ["sh", ["-c", guarded]]
    : ["sudo", ["-n", "DEBIAN_FRONTEND=noninteractive", "sh", "-c", guarded]];
  spawnSync(program as string, args as string[], { stdio: "inherit", env: environment });
  const stillMissing = missingTools();
  if (stillMissing.length === 0) return true;
  console.error(`The tests compare with the real Redis, and ${stillMissing.join(", ")} could not be installed. Type:`);
  console.error(`  sudo sh -c '${INSTALL}'`);
  return false;
}

/** All compiled tests below `folder`. */
function testFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".test.js"))
    .map((path) => join(folder, path))
    .sort();
}

/** Runs one step with its output on ours; true when it passed. */
function runStep(name: string, program: string, args: readonly string[], environment: NodeJS.ProcessEnv): boolean {
  console.log(`── ${name}`);
  const result = spawnSync(program, args, { stdio: "inherit", env: environment, cwd: repositoryRoot() });
  if (result.error !== undefined) console.error(`${name}: ${result.error.message}`);
  return result.status === 0;
}

function main(): number {
  let options: { only?: string | undefined; seed?: string | undefined };
  try {
    options = parseArgs({ options: { only: { type: "string" }, seed: { type: "string" } } }).values;
    if (options.seed !== undefined && !/^\d+$/.test(options.seed))
      throw new Error(`--seed takes a whole number, not ${options.seed}`);
  } catch (fault) {
    console.error(`${(fault as Error).message}\nusage: npm test -- [--only PATTERN] [--seed N]`);
    return 2;
  }
  if (!provideTools()) return 1;

  const seed = options.seed ?? String(freshSeed());
  const environment = { ...process.env, EVERKEY_TEST_SEED: seed };
  console.log(`── seed ${seed} (npm test -- --seed ${seed} repeats the random tests)`);
  const root = repositoryRoot();
  const biome = join(root, "node_modules", ".bin", "biome");
  const isTidy = runStep("biome check", biome, ["check", "."], environment);

  const built = resolve(import.meta.dirname, "..");
  const all = [...testFiles(join(built, "src")), ...testFiles(join(built, "test"))];
  const chosen = options.only === undefined ? all : all.filter((path) => relative(built, path).includes(options.only!));
  const timeoutMs = process.env.EVERKEY_DIFF_ROUNDS === undefined ? TEST_TIMEOUT_MS : LONG_TEST_TIMEOUT_MS;
  const args = [
    "--enable-source-maps",
    "--test",
    `--test-concurrency=${availableParallelism() + EXTRA_TESTS}`,
    `--test-timeout=${timeoutMs}`,
    "--test-reporter=spec",
    ...(chosen.length === 0 ? [`--test-name-pattern=${options.only}`] : []),
    ...(chosen.length === 0 ? all : chosen),
  ];
  const isCorrect = runStep(
    `node --test, ${chosen.length === 0 ? all.length : chosen.length} files`,
    process.execPath,
    args,
    environment,
  );
  if (!isTidy) console.error("── biome check failed: see its complaints at the top");
  return isTidy && isCorrect ? 0 : 1;
}

process.exitCode = main();
