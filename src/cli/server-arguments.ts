/**
 * The words after `everkey server`: which configuration to read, or what to print instead.
 *
 *      everkey server everkey.conf --port 7000 --save 60 1 -
 *                     └─ file      └─ directives           └─ and standard input in between
 *
 *  I1  A file can only be the first word, standard input the first or the last.
 *  I2  What is printed and ends at once (--version, --help, ...) must be the first word.
 *  Source: the command line of redis-server 7.0.
 */

export interface ServerStart {
  readonly action: "start";
  /** As it was given; undefined when there is none. */
  readonly file: string | undefined;
  readonly readsStandardInput: boolean;
  /** The past moment to show, as it was written; undefined for the newest state. */
  readonly asOf: string | undefined;
  /** `--name`, `value`, ...: for readConfiguration. */
  readonly directives: readonly string[];
}

/** Something to print, and the exit code: 0 on standard output, 2 on standard error. */
export interface ServerText {
  readonly action: "print";
  readonly text: string;
  readonly exitCode: 0 | 2;
}

export interface VersionFacts {
  /** Ours. */
  readonly version: string;
  /** The Redis version that we speak as. */
  readonly redisVersion: string;
  /** Node's, with its v. */
  readonly nodeVersion: string;
}

/** The words after `everkey server`. Cannot fail: mistakes are text to print. */
export function parseServerArguments(words: readonly string[], facts: VersionFacts): ServerStart | ServerText {
  const first = words[0];
  if (first === "-v" || first === "--version") return print(versionText(facts));
  if (first === "-h" || first === "--help") return print(helpText());
  if (first === "--test-memory") {
    return refuse("Everkey does not test memory. Use memtest86+ at boot, or memtester while the system runs.");
  }
  if (first === "--check-system") {
    return refuse(
      "Everkey has no checks of the kernel to make: it does not fork, so overcommit and huge pages do not matter to it.",
    );
  }
  if (words.includes("--sentinel")) return refuse("A sentinel is started with: everkey sentinel FILE");

  const rest = [...words];
  let readsStandardInput = false;
  let file: string | undefined;
  if (rest[0] === "-") {
    readsStandardInput = true;
    rest.shift();
  } else if (rest[0] !== undefined && !rest[0].startsWith("-")) {
    file = rest.shift();
  }
  if (rest.at(-1) === "-") {
    readsStandardInput = true;
    rest.pop();
  }
  const asOf = takeOption(rest, "--as-of");
  if (asOf === "") return refuse("--as-of needs a moment, as in --as-of '2026-11-20 10:15:03.250'.");
  if (file === "") return refuse("The name of the configuration file is empty.");
  const stray = rest[0];
  if (stray !== undefined && !(stray.startsWith("--") && stray.length > 2)) {
    return refuse(`'${stray}' is not a directive: directives begin with two dashes, as in --port 7000.`);
  }
  return { action: "start", file, readsStandardInput, asOf, directives: rest };
}

/** Takes `name` and its value out of `words`; "" when there is no value, undefined when it does not occur. */
function takeOption(words: string[], name: string): string | undefined {
  const index = words.indexOf(name);
  if (index < 0) return undefined;
  const value = words[index + 1];
  words.splice(index, 2);
  return value === undefined || value.startsWith("--") ? "" : value;
}

/** The line of `--version`, in the shape that tools know from redis-server. */
function versionText(facts: VersionFacts): string {
  return `Everkey server v=${facts.version} (Redis ${facts.redisVersion} compatible) malloc=arena bits=64 node=${facts.nodeVersion}`;
}

function helpText(): string {
  return [
    "Usage: everkey server [FILE | -] [--directive value ...] [-]",
    "",
    "  FILE                   a configuration in redis.conf syntax; without one, Redis's own defaults hold",
    "  -                      (also) read a configuration from standard input",
    "  --as-of MOMENT         show the data in dir as of a past moment, read-only; needs history-keep",
    "  --directive value ...  any directive of the configuration; wins over the file",
    "  -v, --version          print the version",
    "  -h, --help             print this",
    "",
    "Examples:",
    "  everkey server                                      port 6379, data in the current directory",
    "  everkey server everkey.conf                         the commented configuration that comes with Everkey",
    "  everkey server everkey.conf --port 7000             the same on another port",
    "  everkey server --port 7000 --maxmemory 1gb --save 60 1000",
    "  everkey server --save ''                            without snapshots",
    "  echo 'maxmemory 128mb' | everkey server -",
    "  everkey server --as-of '2026-11-20 10:15:03.250' --dir ./data --port 7001",
    "  everkey server --as-of '5 minutes ago' --dir ./data --port 7001",
    "",
    "docs/configuration.md lists every directive.",
  ].join("\n");
}

function print(text: string): ServerText {
  return { action: "print", text, exitCode: 0 };
}

/** Wrong usage: told on standard error, with exit code 2. */
function refuse(text: string): ServerText {
  return { action: "print", text: `${text}\nTry: everkey server --help`, exitCode: 2 };
}
