/**
 * Server: the composition root. It makes the parts, tells each what the configuration says, and leads them through
 * start, work and shutdown.
 *
 *      Config ──► directives.ts wiring ──► Session, Snapshots, Memory, ExpiryCycle, ...
 *      Host.net ──► Session.accept ──► Dispatcher ──► commands ──► Keyspace
 *      Cron, ten times a second ──► expiry, save points, limits, table growth, reclaim
 *
 *  I1  Nothing here is shared between two servers of a process.
 *  I2  Listening begins before loading: clients hear LOADING instead of a refused connection.
 *  I3  A load that fails ends the start; the server never serves an empty database in place of one it could not read.
 */

import { dataCommands } from "../commands/all.ts";
import { CommandContext, type CommandTable } from "../commands/command.ts";
import { DiskFault, NetFault } from "../core/faults.ts";
import type { Host, Listener, ListenOptions, TlsListening } from "../core/host.ts";
import { KeyHash } from "../core/sip-hash.ts";
import { RdbFault } from "../history/formats/rdb-fault.ts";
import type { AppendOnly } from "../persistence/append-only/append-only.ts";
import { snapshotCommands } from "../persistence/commands.ts";
import { rehearseSnapshots } from "../persistence/rehearsal.ts";
import { Snapshots } from "../persistence/snapshots.ts";
import { MISCONFIGURED } from "../protocol/errors.ts";
import { ReplyWriter } from "../protocol/reply-writer.ts";
import { RequestReader } from "../protocol/request-reader.ts";
import { CommandIndex, FLAG_FAST } from "../session/command-index.ts";
import { Dispatcher } from "../session/dispatcher.ts";
import { Session } from "../session/session.ts";
import { SessionStatistics } from "../session/statistics.ts";
import { Defragmenter } from "../store/keyspace/defragmenter.ts";
import { Eviction } from "../store/keyspace/eviction.ts";
import { ExpiryCycle } from "../store/keyspace/expiry-cycle.ts";
import { Keyspace, KeyspaceStatistics } from "../store/keyspace/keyspace.ts";
import { aofFailureText, aofRefusal, loadAppendOnly, makeAppendOnly, wireAppendOnly } from "./append-only.ts";
import { serverCommands } from "./commands/all.ts";
import { shutdownCommands } from "./commands/shutdown.ts";
import { configCommands } from "./config/commands.ts";
import type { Config } from "./config/config.ts";
import { Cron } from "./cron.ts";
import { LatencyMonitor } from "./latency.ts";
import type { Log } from "./log.ts";
import { Memory } from "./memory.ts";
import type { Past } from "./past.ts";
import { Rates } from "./rates.ts";
import { DispatcherEngine } from "./replay-engine.ts";
import { Shutdown } from "./shutdown.ts";
import { SlowLog } from "./slow-log.ts";
import { StartFailure } from "./start-failure.ts";
import { Tls } from "./tls.ts";
import { EVERKEY_VERSION, REDIS_VERSION } from "./version.ts";
import { WallClock } from "./wall-clock.ts";
import { wireConfiguration } from "./wiring.ts";

export interface ServerOptions {
  readonly host: Host;
  readonly config: Config;
  readonly log: Log;
  /** Absolute path of the configuration file, undefined when there is none. */
  readonly configFile: string | undefined;
  /** Port 0 means any free port instead of none: for servers inside a program. */
  readonly choosesPort?: boolean;
  /** The same for tls-port. */
  readonly choosesTlsPort?: boolean;
  /** Starts the thread for background saves and warms their code with the server, so that no BGSAVE waits for it. */
  readonly preparesBackground?: boolean;
  /** What to show instead of the newest state. */
  readonly past?: Past;
  /** Called when the server has shut down by itself (SHUTDOWN), after everything is closed. */
  readonly onExit?: (code: number) => void;
}

/** Where clients may come from. */
type ListenerKind = "tcp" | "unix" | "tls";

interface OpenListener {
  readonly kind: ListenerKind;
  /** As it was opened, with the port that it has: to open it again. */
  readonly options: ListenOptions;
  readonly listener: Listener;
}

export class Server {
  readonly host: Host;
  readonly config: Config;
  readonly log: Log;
  readonly configFile: string | undefined;
  readonly startMs: number;
  /** 40 hexadecimal digits, new at every start. */
  readonly runId: string;
  readonly keyspace: Keyspace;
  readonly eviction: Eviction;
  readonly expiry: ExpiryCycle;
  readonly defragmenter: Defragmenter;
  readonly memory: Memory;
  readonly snapshots: Snapshots;
  readonly appendOnly: AppendOnly;
  readonly session: Session;
  readonly dispatcher: Dispatcher;
  readonly commands: CommandIndex;
  readonly slowLog: SlowLog;
  readonly cron: Cron;
  readonly shutdown: Shutdown;
  readonly context: CommandContext;
  readonly reader: RequestReader;
  readonly rates: Rates;
  readonly latency: LatencyMonitor;
  readonly wallClock: WallClock;
  /** DEBUG PAUSE-CRON: save points and expiry wait. */
  isCronPaused: boolean;
  readonly tls: Tls;
  readonly past: Past | undefined;
  private readonly choosesPort: boolean;
  private readonly choosesTlsPort: boolean;
  private readonly preparesBackground: boolean;
  private listeners: OpenListener[];

  constructor(options: ServerOptions) {
    const { config, log, past } = options;
    const host = past === undefined ? options.host : past.hostOf(options.host);
    this.host = host;
    this.past = past;
    this.config = config;
    this.log = log;
    this.configFile = options.configFile;
    this.startMs = host.clock.nowMs();
    const random = (): number => host.random.uint32();
    this.runId = hexadecimal(host, 20);
    this.keyspace = new Keyspace(new KeyHash(host.random.uint32(), host.random.uint32()), config.integer("databases"));
    this.keyspace.clock.setRandom(random);
    this.keyspace.nowMs = this.startMs;
    this.keyspace.clock.setNow(this.startMs);
    this.eviction = new Eviction(this.keyspace, random);
    this.expiry = new ExpiryCycle(this.keyspace);
    this.defragmenter = new Defragmenter(this.keyspace);
    this.memory = new Memory(this.keyspace, this.eviction, host.clock);
    this.slowLog = new SlowLog();
    this.snapshots = this.makeSnapshots();
    this.snapshots.onEnd = () => this.updateMisconfiguration();
    this.snapshots.onFunction = (code, mayReplace) => {
      const outcome = this.session.functions.load(code, mayReplace);
      return typeof outcome === "string" ? outcome : undefined;
    };
    this.session = new Session({
      clock: host.clock,
      luaModule: () => host.luaModule(),
      identity: { version: REDIS_VERSION, mode: "standalone", role: () => "master" },
      log: (level, text) => {
        if (log.isWanted(level)) log.write(level, text());
      },
      nowUs: () => this.wallClock.nowUs(),
    });
    this.reader = new RequestReader();
    this.shutdown = new Shutdown(this, options.onExit ?? (() => undefined));
    this.commands = new CommandIndex(this.commandTable());
    this.context = new CommandContext(
      this.reader.request,
      new ReplyWriter(),
      this.keyspace,
      host.random,
      { id: 0, databaseIndex: 0 },
      { stringBytesMax: config.integer("proto-max-bulk-len") },
    );
    this.dispatcher = new Dispatcher(
      this.context,
      this.reader,
      this.commands,
      host.clock,
      this.session.gates,
      this.session,
    );
    this.session.attach(this.dispatcher);
    this.session.onSlowCommand = (command, request, client, microseconds) => {
      this.slowLog.add(command, request, client, microseconds, this.keyspace.nowMs);
      this.latency.add((command.flagBits & FLAG_FAST) === 0 ? "command" : "fast-command", microseconds / 1000);
    };
    this.cron = new Cron(this);
    this.rates = new Rates();
    this.latency = new LatencyMonitor(() => host.clock.nowMs());
    this.memory.onEviction = (durationMs) => this.latency.add("eviction-cycle", durationMs);
    this.wallClock = new WallClock(host.clock);
    this.isCronPaused = false;
    this.tls = new Tls(config, host.disk, host.net);
    this.choosesPort = options.choosesPort ?? false;
    this.choosesTlsPort = options.choosesTlsPort ?? false;
    this.preparesBackground = options.preparesBackground ?? false;
    this.listeners = [];
    this.context.log.replicationId = hexadecimal(host, 20);
    this.appendOnly = makeAppendOnly(this);
    this.snapshots.isBlocked = () => this.appendOnly.isRewriting();
    wireConfiguration(this);
    wireAppendOnly(this);
  }

  private makeSnapshots(): Snapshots {
    const { host, config, log } = this;
    const services = {
      clock: host.clock,
      disk: host.disk,
      background: host.background,
      processId: host.processId,
      log: (level: "debug" | "verbose" | "notice" | "warning", text: string) => log.write(level, text),
      describe: () => ({
        auxiliary: [
          ["redis-ver", REDIS_VERSION],
          ["everkey-ver", EVERKEY_VERSION],
          ["redis-bits", "64"],
          ["ctime", String(Math.floor(host.clock.nowMs() / 1000))],
          ["used-mem", String(this.memory.usedBytes())],
          ["aof-base", "0"],
        ] as const,
        functions: this.session.functions.all().map((library) => library.code),
        access: this.eviction.policy.endsWith("-lfu")
          ? ("frequency" as const)
          : this.eviction.policy.endsWith("-lru")
            ? ("idle" as const)
            : ("none" as const),
      }),
    };
    return new Snapshots(this.keyspace, services, {
      directory: config.text("dir"),
      fileName: config.text("dbfilename"),
      compression: true,
      checksum: true,
      syncsOften: true,
      stopsWritesOnError: true,
      savePoints: [],
    });
  }

  private commandTable(): CommandTable {
    const session = this.session;
    return {
      ...dataCommands(),
      ...session.commands(),
      ...snapshotCommands(this.snapshots, () => this.appendOnly),
      ...configCommands(this.config, {
        resetStatistics: () => this.resetStatistics(),
        configFile: this.configFile,
        disk: this.host.disk,
        isLoading: () => session.gates.isLoading,
        isLocal: (client) => this.isLocal(client.id),
        resume: (client, write) => session.resume(client, write),
        users: () => (session.acl.hasFile ? undefined : session.acl.lines()),
        onRewrite: (failure) =>
          failure === undefined
            ? this.log.write("notice", "CONFIG REWRITE executed with success.")
            : this.log.write("warning", `CONFIG REWRITE failed: ${failure}`),
      }),
      ...serverCommands(this),
      ...shutdownCommands(this),
    };
  }

  /** Whether a client comes over loopback or the unix socket. */
  isLocal(clientId: number): boolean {
    return this.session.clients.find(clientId)?.connection.isLocal ?? false;
  }

  /** The TCP port that listens without TLS, 0 when none does. */
  get port(): number {
    return this.listeners.find(({ kind }) => kind === "tcp")?.listener.port ?? 0;
  }

  /** The one with TLS. */
  get tlsPort(): number {
    return this.listeners.find(({ kind }) => kind === "tls")?.listener.port ?? 0;
  }

  /** Whether the tls-* directives are in use. */
  get usesTls(): boolean {
    return this.config.integer("tls-port") !== 0 || this.choosesTlsPort;
  }

  // ---- start ----------------------------------------------------------------------------------------------------

  /** Listens, loads what is on the disk, and serves. Rejects with StartFailure. */
  async start(): Promise<void> {
    const { session, log } = this;
    const complaint = this.usesTls ? this.tls.load() : undefined;
    if (complaint !== undefined) {
      throw new StartFailure(
        `Failed to configure TLS: ${complaint}. Correct the tls-* directives, or set tls-port to 0.`,
      );
    }
    session.gates.isLoading = true;
    if (this.preparesBackground || this.snapshots.settings.savePoints.length > 0) {
      this.host.background.prepare("rdb");
    }
    await this.listenAtStart();
    log.write("notice", "Server initialized");
    try {
      if (this.past !== undefined) this.showPast(this.past);
      else if (this.appendOnly.settings.isEnabled) await loadAppendOnly(this);
      else await this.snapshots.loadInSlices();
    } catch (error) {
      this.host.background.close();
      await this.closeListeners();
      if (error instanceof StartFailure) throw error;
      const text = aofFailureText(error, this) ?? loadFailureText(error, this.snapshots.filePath());
      throw new StartFailure(text, { cause: error });
    }
    session.gates.isLoading = false;
    this.snapshots.removeLeftovers();
    if (this.preparesBackground) rehearseSnapshots(this.host.random);
    this.keyspace.dirty = 0;
    this.snapshots.lastSaveMs = this.host.clock.nowMs();
    this.updateMisconfiguration();
    this.cron.start();
    if (this.port !== 0) log.write("notice", "Ready to accept connections tcp");
    if (this.config.text("unixsocket") !== "") log.write("notice", "Ready to accept connections unix");
    if (this.tlsPort !== 0) log.write("notice", "Ready to accept connections tls");
  }

  private showPast(past: Past): void {
    for (const line of past.fill(new DispatcherEngine(this.session, this.dispatcher))) this.log.write("notice", line);
    this.session.gates.isReadOnly = true;
  }

  private async listenAtStart(): Promise<void> {
    try {
      for (const kind of ["unix", "tcp", "tls"] as const) await this.listen(kind);
    } catch (error) {
      await this.closeListeners();
      if (!(error instanceof NetFault)) throw error;
      const hint = error.code === "EADDRINUSE" ? "; another server uses it: stop that one or choose another port" : "";
      throw new StartFailure(`Failed listening on ${error.address}: ${error.message}${hint}`, { cause: error });
    }
  }

  /** Listens on what the configuration names for `kind`, if anything. Rejects with NetFault. */
  private async listen(kind: ListenerKind): Promise<void> {
    const { config } = this;
    if (kind === "tcp") {
      if (config.integer("port") !== 0 || this.choosesPort) await this.listenOn(config.integer("port"), undefined);
    } else if (kind === "tls") {
      if (this.usesTls) await this.listenOn(config.integer("tls-port"), this.tlsListening());
    } else {
      const path = config.text("unixsocket");
      if (path === "") return;
      await this.open(kind, { path, pathMode: config.octal("unixsocketperm"), backlog: config.integer("tcp-backlog") });
    }
  }

  /** Returns the port. */
  private async open(kind: ListenerKind, options: ListenOptions): Promise<number> {
    const listener = await this.host.net.listen(options, this.session.accept);
    this.listeners.push({ kind, options: { ...options, port: listener.port }, listener });
    return listener.port;
  }

  private tlsListening(): TlsListening {
    return {
      context: this.tls.current,
      onRefused: (reason, remote, local) =>
        this.log.write("warning", `Error accepting a client connection: ${reason} (addr=${remote} laddr=${local})`),
    };
  }

  /** Listens on all addresses of `bind`. */
  private async listenOn(port: number, tls: TlsListening | undefined): Promise<void> {
    const addresses = this.config.words("bind");
    const backlog = this.config.integer("tcp-backlog");
    let chosen = port;
    for (const address of addresses.length > 0 ? addresses : ["*"]) {
      // A minus sign: this address need not be there on every machine.
      const isOptional = address.startsWith("-");
      const name = isOptional ? address.slice(1) : address;
      const host = name === "*" ? "0.0.0.0" : name === "::*" ? "::" : name;
      const options = { host, port: chosen, backlog, ...(tls === undefined ? {} : { tls }) };
      try {
        chosen = await this.open(tls === undefined ? "tcp" : "tls", options);
      } catch (error) {
        const isAbsent = error instanceof NetFault && ["EADDRNOTAVAIL", "EAFNOSUPPORT"].includes(error.code);
        if (!isOptional || !isAbsent) throw error;
      }
    }
  }

  /** Writes are refused, or no longer, as the last snapshot went. */
  updateMisconfiguration(): void {
    const { gates } = this.session;
    if (this.past !== undefined) gates.misconfiguration = this.past.refusal;
    else gates.misconfiguration = this.snapshots.deniesWrites() ? MISCONFIGURED : aofRefusal(this);
  }

  /** CONFIG SET port, tls-port or bind: listens anew on what `kinds` names, or as before. Returns whether it does. */
  async relisten(...kinds: readonly ListenerKind[]): Promise<boolean> {
    const stop = async (): Promise<OpenListener[]> => {
      const ended = this.listeners.filter(({ kind }) => kinds.includes(kind));
      this.listeners = this.listeners.filter(({ kind }) => !kinds.includes(kind));
      // Clients that are connected stay: only the listening sockets are exchanged.
      for (const { listener } of ended) await listener.stopListening();
      return ended;
    };
    const before = await stop();
    try {
      for (const kind of kinds) await this.listen(kind);
      return true;
    } catch (error) {
      this.log.write("warning", `Failed listening anew: ${error instanceof Error ? error.message : String(error)}`);
    }
    await stop();
    for (const { kind, options } of before) await this.open(kind, options);
    return false;
  }

  private async closeListeners(): Promise<void> {
    const listeners = this.listeners;
    this.listeners = [];
    await Promise.all(listeners.map(({ listener }) => listener.close()));
  }

  // ---- end ------------------------------------------------------------------------------------------------------

  /** Closes sockets, timers and background work. What is to be saved has been saved before: see Shutdown. */
  async close(): Promise<void> {
    this.cron.stop();
    this.snapshots.abort();
    this.appendOnly.disable();
    this.session.closeAll();
    this.host.background.close();
    await this.closeListeners();
    this.log.close();
  }

  /** CONFIG RESETSTAT. */
  resetStatistics(): void {
    this.dispatcher.statistics = new SessionStatistics();
    this.keyspace.statistics = new KeyspaceStatistics();
    this.expiry.timeLimitHits = 0;
    this.memory.exceededMs = 0;
    for (const command of this.commands.commands) {
      for (const each of [command, ...(command.subcommands?.commands ?? [])]) each.resetCounters();
    }
  }
}

/** `byteCount` random bytes as lower-case hexadecimal digits. */
export function hexadecimal(host: Host, byteCount: number): string {
  const bytes = new Uint8Array(byteCount);
  host.random.fill(bytes);
  return Buffer.from(bytes).toString("hex");
}

function loadFailureText(error: unknown, path: string): string {
  const reason = error instanceof Error ? error.message : String(error);
  if (error instanceof RdbFault) {
    return `${path} cannot be loaded: ${reason}. The file was not changed. Run redis-check-rdb on it, restore a backup in its place, or move it away to start empty.`;
  }
  if (error instanceof DiskFault) {
    return `${path} cannot be read: ${reason}. Nothing was changed. See to its permissions and the disk, then start again.`;
  }
  return `${path} cannot be loaded: ${reason}.`;
}
