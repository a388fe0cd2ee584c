/** The command line of the bench. */

import { Command, InvalidArgumentError, Option } from "commander";
import { FAMILIES } from "./families.ts";
import type { Mode } from "./plan.ts";

const MEASUREMENTS = ["throughput", "memory", "snapshot", "stalls", "large", "commands", "log"] as const;
export type MeasurementName = (typeof MEASUREMENTS)[number];

export interface Options {
  readonly mode: Mode;
  readonly measurements: readonly MeasurementName[];
  /** Throughput families to measure; undefined for all. */
  readonly familyFilter: ReadonlySet<string> | undefined;
  readonly rounds: number;
  readonly json: string | undefined;
  /** The Node.js that runs Everkey. */
  readonly node: string;
  readonly server: string | undefined;
  readonly subject: "everkey" | "redis";
}

const ROUNDS: Readonly<Record<Mode, number>> = { quick: 2, normal: 4, full: 6 };

const EXAMPLES = `
Examples:
  npm run bench                                     everything, at full size
  npm run bench -- --quick                          the main commands, smaller: about two minutes
  npm run bench -- --only throughput --only memory  two of the measurements
  npm run bench -- --only GET,SET                   throughput of two commands
  npm run bench -- --node ~/node-24/bin/node        Everkey on another Node.js
  npm run bench -- --full --json result.json        larger, all raw numbers into a file

Measurements: ${MEASUREMENTS.join(", ")}. Any other name given to --only is a command of the throughput table.
`;

/** Reads the arguments; a mistake or --help ends the process (code 2 or 0). */
export function parseOptions(argv: readonly string[]): Options {
  const command = new Command("npm run bench --")
    .description("Measures Everkey beside the real redis-server, in turns, on this machine.")
    .option("--quick", "the main commands, smaller: about two minutes")
    .option("--full", "10 M keys for the stalls, longer and more rounds")
    .option("--only <names>", "measurements or commands, comma-separated; may be repeated", collect)
    .option("--rounds <count>", "rounds of each measurement; sides swap places each round", wholeNumber)
    .option("--json <file>", "write all samples to a file")
    .option("--node <path>", "the Node.js binary that runs Everkey", process.execPath)
    .option("--server <path>", "the bin/everkey to run, when it is not this checkout's")
    .addOption(new Option("--subject <kind>").choices(["everkey", "redis"]).default("everkey").hideHelp())
    .addHelpText("after", EXAMPLES)
    .allowExcessArguments(false)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
  command.parse([...argv], { from: "user" });
  const given = command.opts<{
    quick?: boolean;
    full?: boolean;
    only?: string[];
    rounds?: number;
    json?: string;
    node: string;
    server?: string;
    subject: Options["subject"];
  }>();
  if (given.quick && given.full) command.error("--quick and --full exclude each other");
  const mode: Mode = given.quick ? "quick" : given.full ? "full" : "normal";
  const only = given.only ?? [];
  const families = only.filter((name) => !isMeasurement(name));
  const unknown = families.find((name) => !FAMILIES.some((family) => family.name.toUpperCase() === name.toUpperCase()));
  if (unknown !== undefined) {
    const names = FAMILIES.map(({ name }) => name).join(", ");
    command.error(`--only: no measurement or command is called ${unknown}; commands: ${names}`);
  }
  const named = only.filter(isMeasurement);
  const measurements = MEASUREMENTS.filter(
    (name) => only.length === 0 || named.includes(name) || (name === "throughput" && families.length > 0),
  );
  return {
    mode,
    measurements,
    familyFilter: families.length === 0 ? undefined : new Set(families.map((name) => name.toUpperCase())),
    rounds: given.rounds ?? ROUNDS[mode],
    json: given.json,
    node: given.node,
    server: given.server,
    subject: given.subject,
  };
}

function isMeasurement(name: string): name is MeasurementName {
  return (MEASUREMENTS as readonly string[]).includes(name);
}

function collect(text: string, before: string[] = []): string[] {
  return [...before, ...text.split(",")];
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("It must be a whole number from 1.");
  return value;
}
