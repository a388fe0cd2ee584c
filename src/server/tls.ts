/**
 * The tls-* directives as one context for connections.
 *
 *      directives ──► files' contents ──► TlsSettings ──► Net.secure ──┬── context: used from the next connection on
 *                                                                      └── complaint: the context before stays
 *
 *  I1  `context` is only ever replaced by one that was made whole: a mistake leaves the one that is in force.
 *  I2  Files are read when `load` is called and at no other time.
 *  I3  A relative path begins in the directory that `dir` names, as in Redis.
 *  Source: order and words of the complaints as redis-server 7.0 logs them (test/differential/tls.test.ts).
 */

import { posix } from "node:path";
import { assert } from "../core/assert.ts";
import { DiskFault, reasonOf, TlsFault } from "../core/faults.ts";
import type { Disk, Net, TlsContext, TlsSettings } from "../core/host.ts";
import type { Config } from "./config/config.ts";

const PROTOCOLS = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];
const USUAL_PROTOCOLS = ["TLSv1.2", "TLSv1.3"];
const FILE_BYTES_MAX = 16 * 1024 * 1024;

/** What is wrong with the directives, in a person's words. */
class Mistake extends Error {}

export class Tls {
  private readonly config: Config;
  private readonly disk: Disk;
  private readonly net: Net;
  private context: TlsContext | undefined;

  constructor(config: Config, disk: Disk, net: Net) {
    this.config = config;
    this.disk = disk;
    this.net = net;
    this.context = undefined;
  }

  /** What connections are served with. Only after a `load` that went well. */
  readonly current = (): TlsContext => {
    assert(this.context !== undefined, "TLS listens only when it is configured");
    return this.context;
  };

  /** Reads the directives and their files. Returns what is wrong with them; then the context before stays in force. */
  load(): string | undefined {
    try {
      const settings = this.settings();
      this.context = this.net.secure(settings);
      return undefined;
    } catch (error) {
      if (error instanceof Mistake) return error.message;
      if (error instanceof TlsFault) return this.complaint(error);
      throw error;
    }
  }

  private settings(): TlsSettings {
    const { config } = this;
    for (const name of ["tls-cert-file", "tls-key-file"]) {
      if (config.text(name) === "") throw new Mistake(`No ${name} configured!`);
    }
    const clientCertificates = config.text("tls-auth-clients") as TlsSettings["clientCertificates"];
    const hasAuthorities = config.text("tls-ca-cert-file") !== "" || config.text("tls-ca-cert-dir") !== "";
    if (clientCertificates !== "no" && !hasAuthorities) {
      throw new Mistake(
        "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, tls-replication or tls-auth-clients are enabled!",
      );
    }
    return {
      protocols: this.protocols(),
      certificate: this.read("tls-cert-file", "Failed to load certificate: "),
      key: this.read("tls-key-file", "Failed to load private key: "),
      keyPassword: config.utf8("tls-key-file-pass"),
      authorities: this.authorities(),
      clientCertificates,
      ciphers: config.text("tls-ciphers"),
      cipherSuites: config.text("tls-ciphersuites"),
      prefersOwnCiphers: config.boolean("tls-prefer-server-ciphers"),
      resumesSessions: config.boolean("tls-session-caching"),
      sessionSeconds: config.integer("tls-session-cache-timeout"),
      dhParameters:
        config.text("tls-dh-params-file") === "" ? undefined : this.read("tls-dh-params-file", "DH parameters: "),
    };
  }

  private protocols(): readonly string[] {
    const wanted = this.config.words("tls-protocols").filter((word) => word !== "");
    if (wanted.length === 0) return USUAL_PROTOCOLS;
    const found = PROTOCOLS.filter((name) => wanted.some((word) => word.toLowerCase() === name.toLowerCase()));
    if (wanted.some((word) => !PROTOCOLS.some((name) => name.toLowerCase() === word.toLowerCase()))) {
      throw new Mistake(
        "Invalid tls-protocols specified. Use a combination of 'TLSv1', 'TLSv1.1', 'TLSv1.2' and 'TLSv1.3'.",
      );
    }
    return found;
  }

  private authorities(): Uint8Array[] {
    const { config } = this;
    const complaint = "Failed to configure CA certificate(s) file/directory: ";
    const found: Uint8Array[] = [];
    if (config.text("tls-ca-cert-file") !== "") found.push(this.read("tls-ca-cert-file", complaint));
    if (config.text("tls-ca-cert-dir") === "") return found;
    const directory = this.path("tls-ca-cert-dir");
    try {
      for (const name of this.disk.list(directory).sort()) {
        const path = posix.join(directory, name);
        if (this.disk.status(path)?.isDirectory !== false) continue;
        const bytes = this.contents(path);
        // Keys and lists of what was withdrawn may lie beside the certificates.
        if (Buffer.from(bytes).includes("CERTIFICATE-----")) found.push(bytes);
      }
    } catch (error) {
      if (!(error instanceof DiskFault)) throw error;
      throw new Mistake(`${complaint}${directory}: ${reasonOf(error.cause)}`);
    }
    if (found.length === 0) throw new Mistake(`${complaint}${directory}: no certificate`);
    return found;
  }

  private path(name: string): string {
    return posix.resolve(this.config.utf8("dir"), this.config.utf8(name));
  }

  /** The contents of the file that the directive names. */
  private read(name: string, complaint: string): Uint8Array {
    try {
      return this.contents(this.path(name));
    } catch (error) {
      if (!(error instanceof DiskFault)) throw error;
      throw new Mistake(`${complaint}${this.config.utf8(name)}: ${reasonOf(error.cause)}`);
    }
  }

  private contents(path: string): Uint8Array {
    const file = this.disk.open(path, "read");
    try {
      const bytes = new Uint8Array(Math.min(file.size(), FILE_BYTES_MAX));
      let length = 0;
      for (let count = 1; count > 0 && length < bytes.length; length += count) {
        count = file.read(bytes, length, bytes.length - length);
      }
      return bytes.subarray(0, length);
    } finally {
      file.close();
    }
  }

  private complaint({ part, message }: TlsFault): string {
    const { config } = this;
    switch (part) {
      case "certificate":
        return `Failed to load certificate: ${config.utf8("tls-cert-file")}: ${message}`;
      case "key":
        return `Failed to load private key: ${config.utf8("tls-key-file")}: ${message}`;
      case "authorities":
        return `Failed to configure CA certificate(s) file/directory: ${message}`;
      case "ciphers":
        return `Failed to configure ciphers: ${config.utf8("tls-ciphers")}`;
      case "cipherSuites":
        return `Failed to configure ciphersuites: ${config.utf8("tls-ciphersuites")}`;
      case "dhParameters":
        return `${config.utf8("tls-dh-params-file")}: ${message}`;
      case "protocols":
        return `Failed to configure TLS versions: ${message}`;
    }
  }
}
