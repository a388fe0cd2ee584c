/**
 * Everkey inside a program: a server in this process, of which several can run side by side.
 *
 *      const server = await Everkey.start({ port: 0, dir: "./data" });
 *      const redis = new Redis(server.url);
 *      await server.close();
 *
 *  I1  Nothing is shared between two servers, and nothing is left behind by a closed one but its files.
 *  I2  `close` saves as SHUTDOWN does: when save points are set.
 */

import { Config } from "./config/config.ts";
import { readConfiguration } from "./config/parser.ts";
import { nodeHost } from "./host/node-host.ts";
import { Log } from "./log.ts";
import { Past } from "./past.ts";
import { Server } from "./server.ts";
import { StartFailure } from "./start-failure.ts";
import { EVERKEY_VERSION } from "./version.ts";

/** Directives of redis.conf by name; arrays for those that take several words or stand several times (save, bind). */
export type DirectiveValue = string | number | boolean | readonly (string | number)[];

export interface EverkeyOptions {
  /** TCP port; 0 takes any free one, false listens on none (with `tls-port` or `unixsocket`). Default 6379. */
  readonly port?: number | false;
  /** Port for TLS; 0 takes any free one. Without it there is no TLS. */
  readonly "tls-port"?: number;
  /** Data directory, made when it is missing. Default: the working directory. */
  readonly dir?: string;
  /** A past moment to show, read-only: "2026-11-20 10:15:03.250", "5 minutes ago", "offset:N". */
  readonly "as-of"?: string;
  /** Receives the log's lines; without it, they go nowhere (or to the directive `logfile`). */
  readonly onLog?: (line: string) => void;
  readonly [directive: string]: DirectiveValue | ((line: string) => void) | undefined;
}

export class Everkey {
  /** redis://HOST:PORT, for clients; rediss:// when there is only TLS. */
  readonly url: string;
  /** 0 when there is only TLS or a unix socket. */
  readonly port: number;
  /** 0 when there is no TLS. */
  readonly tlsPort: number;
  private readonly server: Server;
  private closing: Promise<void> | undefined;

  private constructor(server: Server) {
    this.server = server;
    this.port = server.port;
    this.tlsPort = server.tlsPort;
    const host = server.config.words("bind")[0] ?? "127.0.0.1";
    const reachable = host === "*" || host === "0.0.0.0" || host === "::*" ? "127.0.0.1" : host.replace(/^-/, "");
    const name = reachable.includes(":") ? `[${reachable}]` : reachable;
    const isOnlyTls = server.port === 0 && server.tlsPort !== 0;
    this.url = isOnlyTls ? `rediss://${name}:${server.tlsPort}` : `redis://${name}:${server.port}`;
    this.closing = undefined;
  }

  /**
   * Starts a server and resolves when it has loaded its data and serves. Listens on 127.0.0.1 unless `bind` says
   * otherwise. Rejects with StartFailure, whose message says what was wrong, where, and what to do.
   */
  static async start(options: EverkeyOptions = {}): Promise<Everkey> {
    const { onLog, "as-of": asOf, ...directives } = options;
    const host = nodeHost();
    const config = new Config({ workingDirectory: process.cwd() });
    if (options.dir !== undefined) host.disk.makeDirectory(options.dir);
    const failure = readConfiguration(config, host.disk, {
      commandLine: commandLine({ bind: "127.0.0.1", ...directives, ...(options.port === false ? { port: 0 } : {}) }),
      version: EVERKEY_VERSION,
    });
    if (failure !== undefined) throw new StartFailure(failure.report);
    const log = new Log(host.clock, host.disk, host.processId, (text) => onLog?.(text.trimEnd()));
    if (config.text("logfile") !== "") log.setFile(config.utf8("logfile"));
    const server = new Server({
      host,
      config,
      ...(asOf === undefined ? {} : { past: Past.open(host, config, asOf) }),
      log,
      configFile: undefined,
      choosesPort: options.port !== false,
      choosesTlsPort: options["tls-port"] === 0,
    });
    await server.start();
    return new Everkey(server);
  }

  /** Saves when save points are set, then closes every connection and file. Rejects when saving failed. */
  close(): Promise<void> {
    this.closing ??= this.closeOnce();
    return this.closing;
  }

  private async closeOnce(): Promise<void> {
    const isSaved = this.server.shutdown.prepare({ saving: "default", isForced: false });
    await this.server.shutdown.finish(0);
    if (!isSaved) {
      throw new StartFailure(`The last changes could not be saved to ${this.server.snapshots.filePath()}.`);
    }
  }
}

/** Options as the words of a command line, for the one parser that there is. */
function commandLine(directives: Readonly<Record<string, unknown>>): string[] {
  const words: string[] = [];
  for (const [name, value] of Object.entries(directives)) {
    if (value === undefined) continue;
    const values = Array.isArray(value) ? value : [value];
    words.push(`--${name}`);
    if (values.length === 0) words.push("");
    for (const each of values) words.push(typeof each === "boolean" ? (each ? "yes" : "no") : String(each));
  }
  return words;
}
