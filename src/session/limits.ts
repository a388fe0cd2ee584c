/**
 * What a connection may take: their number, idle time, memory; and who may connect at all.
 *
 *      accept ──► refusal?        afterTurn ──► hard output limit, memory of all      cron ──► soft limit, idle time
 *
 *  I1  `cron` looks at a tenth of the clients, at least five: with ten calls a second each is seen about once a second.
 *  I2  A turn of a client without buffers costs one comparison here.
 *  I3  Output counts once the system has refused to take it: a client that reads at once is never over a limit.
 *  Source: maxclients, timeout, client-output-buffer-limit, maxmemory-clients and protected-mode of Redis 7.2, texts
 *  on the wire and in the log as it writes them.
 */

import type { Clock, Connection } from "../core/host.ts";
import type { Client, ClientClass } from "./client.ts";
import { type Clients, clientLine } from "./clients.ts";
import type { SessionStatistics } from "./statistics.ts";

export type LogLevel = "debug" | "verbose" | "notice" | "warning";
/** Builds the text only when the level is wanted. */
export type SessionLog = (level: LogLevel, text: () => string) => void;

/** A class's part of client-output-buffer-limit; 0 means no limit. */
export interface OutputLimit {
  readonly hardBytes: number;
  readonly softBytes: number;
  readonly softSeconds: number;
}

const SWEEP_CLIENTS_MIN = 5;
const SWEEPS_PER_ROUND = 10;

const TOO_MANY_CLIENTS = "-ERR max number of clients reached\r\n";
export const DENIED =
  "-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user. " +
  "In this mode connections are only accepted from the loopback interface. " +
  "If you want to connect from external computers to Redis you may adopt one of the following solutions: " +
  "1) Just disable protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface " +
  "by connecting to Redis from the same host the server is running, " +
  "however MAKE SURE Redis is not publicly accessible from internet if you do so. " +
  "Use CONFIG REWRITE to make this change permanent. " +
  "2) Alternatively you can just disable the protected mode by editing the Redis configuration file, " +
  "and setting the protected mode option to 'no', and then restarting the server. " +
  "3) If you started the server manually just for testing, restart it with the '--protected-mode no' option. " +
  "4) Set up an authentication password for the default user. " +
  "NOTE: You only need to do one of the above things in order for the server to start accepting connections from the outside.\r\n";

export interface LimitsHost {
  readonly clock: Clock;
  readonly clients: Clients;
  readonly log: SessionLog;
  statistics(): SessionStatistics;
  /** Everybody is let in as the default user. */
  isOpen(): boolean;
  /** Closes a client at once. */
  kill(client: Client): void;
}

export class Limits {
  maxClients: number;
  /** Seconds of silence after which a client is closed; 0 never. */
  timeoutSeconds: number;
  /** Seconds between TCP keepalive probes; 0 sends none. */
  keepAliveSeconds: number;
  isProtected: boolean;
  readonly output: Record<ClientClass, OutputLimit>;
  /** What all clients together may take; 0 without limit. */
  clientsBytesMax: number;
  /** Largest kept input and pending output seen in the last round or the one before. */
  recentInputBytesMax: number;
  recentOutputBytesMax: number;

  private readonly host: LimitsHost;
  private roundInputBytesMax: number;
  private roundOutputBytesMax: number;
  /** Nobody is left to evict, and the log says so already. */
  private hasWarned: boolean;

  constructor(host: LimitsHost) {
    this.maxClients = 10_000;
    this.timeoutSeconds = 0;
    this.keepAliveSeconds = 300;
    this.isProtected = true;
    this.output = {
      normal: { hardBytes: 0, softBytes: 0, softSeconds: 0 },
      replica: { hardBytes: 256 << 20, softBytes: 64 << 20, softSeconds: 60 },
      pubsub: { hardBytes: 32 << 20, softBytes: 8 << 20, softSeconds: 60 },
    };
    this.clientsBytesMax = 0;
    this.recentInputBytesMax = 0;
    this.recentOutputBytesMax = 0;
    this.host = host;
    this.roundInputBytesMax = 0;
    this.roundOutputBytesMax = 0;
    this.hasWarned = false;
  }

  /** What a new connection hears before it is closed; undefined when it may stay. */
  refusal(connection: Connection): string | undefined {
    if (this.host.clients.count >= this.maxClients) return TOO_MANY_CLIENTS;
    if (this.isProtected && this.host.isOpen() && !connection.isLocal) return DENIED;
    return undefined;
  }

  /** After each turn of a client. hot path */
  afterTurn(client: Client): void {
    const bytes = client.bufferBytes();
    if (bytes === 0 && client.accountedBytes === 0) return;
    this.settle(client, bytes, true);
  }

  /** A share of the regular work; ten calls a second. */
  cron(): void {
    const clients = this.host.clients;
    const nowMs = this.host.clock.monotonicMs();
    const share = Math.max(SWEEP_CLIENTS_MIN, Math.ceil(clients.count / SWEEPS_PER_ROUND));
    for (let index = 0; index < share; index++) {
      const client = clients.sweep();
      if (client === undefined) {
        this.endRound();
        break;
      }
      if (this.closeIdle(client, nowMs)) continue;
      this.settle(client, client.bufferBytes(), false);
    }
  }

  /** Counts the client's buffers anew and closes whoever is over a limit. */
  private settle(client: Client, bytes: number, isTurn: boolean): void {
    const clients = this.host.clients;
    const hasGrown = bytes > client.accountedBytes;
    if (!clients.account(client, bytes)) return;
    const pendingBytes = client.connection.pendingBytes();
    if (client.unreadBytes > this.roundInputBytesMax) this.roundInputBytesMax = client.unreadBytes;
    if (pendingBytes > this.roundOutputBytesMax) this.roundOutputBytesMax = pendingBytes;
    if (this.isOverOutputLimit(client, pendingBytes)) {
      this.host.log("warning", () =>
        isTurn
          ? `Client ${this.line(client)} scheduled to be closed ASAP for overcoming of output buffer limits.`
          : `Client ${this.line(client)} closed for overcoming of output buffer limits.`,
      );
      this.host.statistics().outputBufferLimitDisconnections++;
      this.host.kill(client);
      return;
    }
    if (this.clientsBytesMax > 0 && (hasGrown || !isTurn) && clients.memoryBytes > this.clientsBytesMax) this.evict();
  }

  /** The soft limit counts from the first moment above it; falling below it forgets that. */
  private isOverOutputLimit(client: Client, pendingBytes: number): boolean {
    const { hardBytes, softBytes, softSeconds } = this.output[client.clientClass()];
    if (hardBytes > 0 && pendingBytes >= hardBytes) return true;
    if (softBytes === 0 || pendingBytes < softBytes) {
      client.softLimitSinceMs = 0;
      return false;
    }
    const nowMs = this.host.clock.monotonicMs();
    if (client.softLimitSinceMs === 0) {
      client.softLimitSinceMs = Math.max(nowMs, 1);
      return false;
    }
    return nowMs - client.softLimitSinceMs > softSeconds * 1000;
  }

  private closeIdle(client: Client, nowMs: number): boolean {
    if (this.timeoutSeconds === 0 || client.suspension !== undefined || client.clientClass() !== "normal") return false;
    if (client.isMonitor) return false;
    if (nowMs - client.lastRequestMs <= this.timeoutSeconds * 1000) return false;
    this.host.log("verbose", () => "Closing idle client");
    this.host.kill(client);
    return true;
  }

  /** Closes the clients with the largest buffers until the rest fits. */
  private evict(): void {
    const clients = this.host.clients;
    // What has drained meanwhile has not been told: count everyone anew before someone is closed.
    const candidates: Client[] = [];
    for (const client of clients.all()) {
      clients.account(client, client.bufferBytes());
      if (client.isEvictable && client.clientClass() !== "replica") candidates.push(client);
    }
    if (clients.memoryBytes <= this.clientsBytesMax) {
      this.hasWarned = false;
      return;
    }
    candidates.sort((a, b) => b.accountedBytes - a.accountedBytes || a.id - b.id);
    for (const client of candidates) {
      this.host.log("notice", () => `Evicting client: ${this.line(client)}`);
      this.host.statistics().evictedClients++;
      this.host.kill(client);
      if (clients.memoryBytes <= this.clientsBytesMax) {
        this.hasWarned = false;
        return;
      }
    }
    if (this.hasWarned) return;
    this.hasWarned = true;
    this.host.log("warning", () => "Over client maxmemory after evicting all evictable clients");
  }

  private endRound(): void {
    this.recentInputBytesMax = this.roundInputBytesMax;
    this.recentOutputBytesMax = this.roundOutputBytesMax;
    this.roundInputBytesMax = 0;
    this.roundOutputBytesMax = 0;
  }

  private line(client: Client): string {
    return clientLine(client, this.host.clock.nowMs(), this.host.clock.monotonicMs(), -1);
  }
}
