/**
 * `everkey server`: from the command line to a running server, and from signals to its end.
 *
 *      words ─► configuration ─► (daemonize: a child in the background) ─► Server.start ─► SIGTERM, SIGINT ─► exit
 *
 *  I1  A mistake in the configuration ends with exit code 1 before a port is opened or a file is touched.
 *  I2  The pid file names this process while it runs, and is removed at its end.
 */

import { spawn } from "node:child_process";
import { readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { Config } from "../server/config/config.ts";
import { readConfiguration } from "../server/config/parser.ts";
import { nodeHost } from "../server/host/node-host.ts";
import { Log } from "../server/log.ts";
import { Past } from "../server/past.ts";
import { Server } from "../server/server.ts";
import { StartFailure } from "../server/start-failure.ts";
import { EVERKEY_VERSION, REDIS_VERSION } from "../server/version.ts";
import { parseServerArguments, type ServerStart } from "./server-arguments.ts";

export async function runServer(words: readonly string[]): Promise<void> {
  const parsed = parseServerArguments(words, {
    version: EVERKEY_VERSION,
    redisVersion: REDIS_VERSION,
    nodeVersion: process.version,
  });
  if (parsed.action === "print") {
    const stream = parsed.exitCode === 0 ? process.stdout : process.stderr;
    stream.write(`${parsed.text}\n`);
    process.exitCode = parsed.exitCode;
    return;
  }
  await start(parsed);
}

async function start(parsed: ServerStart): Promise<void> {
  const host = nodeHost();
  const config = new Config({ workingDirectory: process.cwd() });
  const input = parsed.readsStandardInput ? readFileSync(0, "latin1") : undefined;
  const failure = readConfiguration(config, host.disk, {
    ...(parsed.file === undefined ? {} : { file: parsed.file }),
    ...(input === undefined ? {} : { standardInput: input }),
    commandLine: parsed.directives,
    version: EVERKEY_VERSION,
  });
  if (failure !== undefined) {
    process.stderr.write(`${failure.report}\n`);
    process.exitCode = 1;
    return;
  }
  if (config.boolean("daemonize") && process.env.EVERKEY_DAEMON !== "1") {
    startInBackground(parsed, input);
    return;
  }
  const log = new Log(host.clock, host.disk, host.processId, (text) => process.stdout.write(text));
  let pidFile = "";
  try {
    const directory = config.utf8("dir");
    if (host.disk.status(directory) === undefined) host.disk.makeDirectory(directory);
    process.chdir(directory);
    if (config.text("logfile") !== "") log.setFile(config.utf8("logfile"));
    const file =
      parsed.file === undefined
        ? undefined
        : realpathSync(parsed.file.startsWith("/") ? parsed.file : `${startDirectory}/${parsed.file}`);
    const past = parsed.asOf === undefined ? undefined : Past.open(host, config, parsed.asOf);
    sayHello(log, config, file);
    const server = new Server({
      host,
      ...(past === undefined ? {} : { past }),
      config,
      log,
      // What the past needed to be set must not be written into it.
      configFile: past === undefined ? file : undefined,
      preparesBackground: true,
      onExit: (code) => exit(code, pidFile),
    });
    reportCrashes(config, log, () => pidFile);
    setTitle(config, file);
    pidFile = writePidFile(config, log);
    takeSignals(server);
    await server.start();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    if (!(error instanceof StartFailure) && (error as { path?: unknown }).path === undefined) throw error;
    log.write("warning", text);
    if (config.text("logfile") !== "") process.stderr.write(`${text}\n`);
    exit(1, pidFile);
  }
}

const startDirectory = process.cwd();

function exit(code: number, pidFile: string): void {
  if (pidFile !== "") rmSync(pidFile, { force: true });
  process.exit(code);
}

/** The lines that tools for Redis wait for at the start. */
function sayHello(log: Log, config: Config, file: string | undefined): void {
  log.write("notice", "oO0OoO0OoO0Oo Everkey is starting oO0OoO0OoO0Oo");
  log.write(
    "notice",
    `Redis version=${REDIS_VERSION}, bits=64, commit=00000000, modified=0, pid=${process.pid}, just started`,
  );
  log.write("notice", `Everkey version=${EVERKEY_VERSION}, node=${process.version}`);
  if (file === undefined) {
    log.write("notice", "No configuration file was given: Redis's defaults hold. To use one: everkey server FILE");
  } else {
    log.write("notice", "Configuration loaded");
  }
  for (const { name, value, reason } of config.ignored()) {
    log.write("warning", `The directive "${name} ${value}" has no effect: ${reason}`);
  }
  const port = config.integer("port") || config.integer("tls-port");
  if (config.boolean("always-show-logo") || (process.stdout.isTTY && config.text("logfile") === "")) {
    log.write("notice", banner(port));
  } else {
    log.write("notice", `Running mode=standalone, port=${port}.`);
  }
}

function banner(port: number): string {
  return [
    "",
    "      .----.",
    `     /  ()  \\____________,_,_      Everkey ${EVERKEY_VERSION} (Redis ${REDIS_VERSION} compatible) 64 bit`,
    "    |  (  )  ____________   _|     Running in standalone mode",
    `     \\  ()  /            |_|       Port: ${port}`,
    `      '----'                       PID: ${process.pid}`,
    "",
  ].join("\n");
}

/** Redis writes one when it is told to, or runs in the background. Returns its path, "" when there is none. */
function writePidFile(config: Config, log: Log): string {
  const path = config.utf8("pidfile") || (config.boolean("daemonize") ? "/var/run/redis.pid" : "");
  if (path === "") return "";
  try {
    writeFileSync(path, `${process.pid}\n`);
    return path;
  } catch (error) {
    log.write("warning", `The pid file ${path} cannot be written: ${(error as Error).message}`);
    return "";
  }
}

/** The same command again, detached, without this terminal. */
function startInBackground(parsed: ServerStart, input: string | undefined): void {
  const words = parsed.file === undefined ? [] : [parsed.file];
  if (input !== undefined) words.push("-");
  const child = spawn(
    process.execPath,
    [...process.execArgv, process.argv[1]!, "server", ...words, ...parsed.directives],
    {
      detached: true,
      stdio: [input === undefined ? "ignore" : "pipe", "ignore", "ignore"],
      env: { ...process.env, EVERKEY_DAEMON: "1" },
    },
  );
  child.stdin?.end(input, "latin1");
  child.unref();
}

/** What `ps` shows: proc-title-template with its fields filled in. */
function setTitle(config: Config, file: string | undefined): void {
  if (!config.boolean("set-proc-title")) return;
  const port = config.integer("port");
  const tlsPort = config.integer("tls-port");
  const fields: Record<string, string> = {
    title: "everkey server",
    "listen-addr": port || tlsPort ? `${config.words("bind")[0] ?? "*"}:${port || tlsPort}` : config.utf8("unixsocket"),
    "server-mode": "",
    port: String(port),
    "tls-port": String(tlsPort),
    unixsocket: config.utf8("unixsocket"),
    "config-file": file ?? "",
  };
  process.title = config
    .utf8("proc-title-template")
    .replace(/\{([a-z-]+)\}/g, (whole, name: string) => fields[name] ?? whole)
    .trim();
}

/** A bug of ours ends the process: its report goes to the log first, for whoever has to find it. */
function reportCrashes(config: Config, log: Log, pidFile: () => string): void {
  const report = (error: unknown): void => {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    log.write("warning", "=== EVERKEY BUG REPORT START: please open an issue with the lines up to END ===");
    if (config.boolean("crash-log-enabled"))
      log.write("warning", `Everkey ${EVERKEY_VERSION}, Node ${process.version}\n${stack}`);
    log.write("warning", "=== EVERKEY BUG REPORT END. The data on disk is as the last snapshot left it. ===");
    exit(1, pidFile());
  };
  process.on("uncaughtException", report);
  process.on("unhandledRejection", report);
}

function takeSignals(server: Server): void {
  let signalCount = 0;
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    process.on(name, () => {
      // The second one means: at once.
      if (++signalCount > 1) process.exit(1);
      void server.shutdown.onSignal(name).then(() => {
        signalCount = 0;
      });
    });
  }
  process.on("SIGHUP", () => undefined);
  process.on("SIGPIPE", () => undefined);
}
