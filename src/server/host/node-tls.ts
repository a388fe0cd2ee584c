/**
 * TLS settings as Node takes them, and one listener's way from an accepted socket to an encrypted one.
 *
 *      TlsSettings ──► NodeTlsContext: every part tried on its own, so that the fault names the one that is wrong
 *      accepted socket ──► TlsAcceptor.accept ──► handshake ──┬── ready(socket)
 *                                                             └── refused(reason): closed, one line for the log
 *
 *  I1  A context is made only of settings that a handshake can begin with.
 *  I2  A socket that was refused, or whose handshake lasts too long, is destroyed here.
 *  I3  A handshake ends under the context with which it began; the next connection asks for the context anew.
 *
 * Node never listens here: its TLS server is handed the sockets that a plain listener accepted, which is how contexts
 * are exchanged under open listeners.
 */

import { constants, X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import {
  createSecureContext,
  createServer,
  DEFAULT_CIPHERS,
  type Server,
  type TLSSocket,
  type TlsOptions,
} from "node:tls";
import { TlsFault, type TlsPart } from "../../core/faults.ts";
import type { TlsContext, TlsListening, TlsSettings } from "../../core/host.ts";
import { endpoint } from "./endpoint.ts";

const HANDSHAKE_TIMEOUT_MS = 60_000;
/** Names sessions, so that those of another server in this process are not taken for ours. */
const SESSION_CONTEXT = "everkey";
const VERIFY_FAILED = "error:0A000086:SSL routines::certificate verify failed";

const VERSIONS = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"] as const;
const VERSION_OFF: Readonly<Record<(typeof VERSIONS)[number], number>> = {
  TLSv1: constants.SSL_OP_NO_TLSv1,
  "TLSv1.1": constants.SSL_OP_NO_TLSv1_1,
  "TLSv1.2": constants.SSL_OP_NO_TLSv1_2,
  "TLSv1.3": constants.SSL_OP_NO_TLSv1_3,
};
const CERTIFICATE_BLOCK =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]*-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;
const PARAMETERS_BLOCK = /-----BEGIN (?:X9\.42 )?DH PARAMETERS-----\s*M[^-]*-----END/;

export class NodeTlsContext implements TlsContext {
  readonly settings: TlsSettings;
  private readonly options: TlsOptions;

  /** Throws TlsFault. */
  constructor(settings: TlsSettings) {
    this.settings = settings;
    const cert = Buffer.from(settings.certificate);
    const key = {
      key: Buffer.from(settings.key),
      ...(settings.keyPassword === "" ? {} : { passphrase: settings.keyPassword }),
    };
    attempt("certificate", () => createSecureContext({ cert }));
    attempt("key", () => createSecureContext({ cert, ...key }));
    const ca = attempt("authorities", () => settings.authorities.map(certificatesOf));
    const protocols = versionOptions(settings.protocols);
    const ciphers = cipherOptions(settings);
    const dhparam = attempt("dhParameters", () => parametersOf(settings.dhParameters));
    const noTickets = settings.resumesSessions ? 0 : constants.SSL_OP_NO_TICKET;
    this.options = {
      cert,
      ...key,
      ...protocols,
      ...ciphers,
      ...(ca.length === 0 ? {} : { ca }),
      ...(dhparam === undefined ? {} : { dhparam }),
      secureOptions: protocols.secureOptions | constants.SSL_OP_NO_RENEGOTIATION | noTickets,
      honorCipherOrder: settings.prefersOwnCiphers,
      requestCert: settings.clientCertificates !== "no",
      rejectUnauthorized: settings.clientCertificates === "yes",
      // Node takes no 0; the shortest there is has the same effect.
      sessionTimeout: Math.max(1, settings.sessionSeconds),
      sessionIdContext: SESSION_CONTEXT,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    };
    attempt("certificate", () => this.makeServer());
  }

  /** A server that does not listen: it is handed sockets. */
  makeServer(): Server {
    return createServer(this.options);
  }
}

/** Runs one step; what it throws is a fault of `part`. */
function attempt<Result>(part: TlsPart, step: () => Result): Result {
  try {
    return step();
  } catch (error) {
    throw new TlsFault(part, error instanceof Error ? error.message : String(error), error);
  }
}

/** The certificates of a file, each of them readable: Node passes over what it cannot read. */
function certificatesOf(bytes: Uint8Array): Buffer {
  const blocks = Buffer.from(bytes).toString("latin1").match(CERTIFICATE_BLOCK) ?? [];
  if (blocks.length === 0) throw new Error("error:05800088:x509 certificate routines::no certificate or crl found");
  for (const block of blocks) new X509Certificate(block);
  return Buffer.from(blocks.join("\n"), "latin1");
}

function parametersOf(bytes: Uint8Array | undefined): Buffer | undefined {
  if (bytes === undefined) return undefined;
  const dhparam = Buffer.from(bytes);
  if (!PARAMETERS_BLOCK.test(dhparam.toString("latin1"))) throw new Error("failed to read DH params.");
  createSecureContext({ dhparam });
  return dhparam;
}

/** Node knows the lowest and the highest version; those between them are turned off one by one. */
function versionOptions(
  wanted: readonly string[],
): Pick<TlsOptions, "minVersion" | "maxVersion"> & { secureOptions: number } {
  const indexes = VERSIONS.flatMap((version, index) => (wanted.includes(version) ? [index] : []));
  if (indexes.length === 0) throw new TlsFault("protocols", "no known version");
  let secureOptions = 0;
  for (const version of VERSIONS) if (!wanted.includes(version)) secureOptions |= VERSION_OFF[version];
  return { minVersion: VERSIONS[indexes[0]!]!, maxVersion: VERSIONS[indexes.at(-1)!]!, secureOptions };
}

/** Node wants both kinds in one list: without one for TLS 1.3 it would turn that version off. */
function cipherOptions({ ciphers, cipherSuites }: TlsSettings): { ciphers: string } {
  const usual = DEFAULT_CIPHERS.split(":");
  const isSuite = (name: string): boolean => name.startsWith("TLS_");
  const older = ciphers === "" ? usual.filter((name) => !isSuite(name)).join(":") : ciphers;
  const newer = cipherSuites === "" ? usual.filter(isSuite).join(":") : cipherSuites;
  attempt("ciphers", () => {
    if (older.split(":").some(isSuite)) throw new Error("error:0A0000B9:SSL routines::no cipher match");
    createSecureContext({ ciphers: older, maxVersion: "TLSv1.2" });
  });
  attempt("cipherSuites", () => {
    if (!newer.split(":").every(isSuite)) throw new Error("error:0A0000B9:SSL routines::no cipher match");
    createSecureContext({ ciphers: newer });
  });
  return { ciphers: `${newer}:${older}` };
}

interface Addresses {
  readonly remote: string;
  readonly local: string;
}

/** The TLS side of one listener. */
export class TlsAcceptor {
  private readonly listening: TlsListening;
  private readonly ready: (socket: TLSSocket) => void;
  /** Sockets whose handshake is under way. */
  private readonly unfinished: Set<Socket>;
  /** Those of them that the log may hear of, also just after their end: a destroyed socket does not tell its addresses. */
  private readonly addresses: WeakMap<Socket, Addresses>;
  private context: TlsContext | undefined;
  private server: Server | undefined;

  constructor(listening: TlsListening, ready: (socket: TLSSocket) => void) {
    this.listening = listening;
    this.ready = ready;
    this.unfinished = new Set();
    this.addresses = new WeakMap();
    this.context = undefined;
    this.server = undefined;
  }

  /** Takes an accepted socket, which has read nothing yet. */
  accept(socket: Socket): void {
    this.unfinished.add(socket);
    this.addresses.set(socket, {
      remote: endpoint(socket.remoteAddress, socket.remotePort),
      local: endpoint(socket.localAddress, socket.localPort),
    });
    socket.once("close", () => this.unfinished.delete(socket));
    // The encrypted socket around it tells the same.
    socket.on("error", () => undefined);
    this.serverNow().emit("connection", socket);
  }

  /** Ends all handshakes that are under way. */
  abandon(): void {
    for (const socket of this.unfinished) {
      this.addresses.delete(socket);
      socket.destroy();
    }
  }

  private serverNow(): Server {
    const context = this.listening.context();
    if (this.server === undefined || this.context !== context) {
      this.context = context;
      this.server = (context as NodeTlsContext).makeServer();
      this.server.on("secureConnection", (socket) => this.finish(socket));
      this.server.on("tlsClientError", (error, socket) => this.refuse(socket, refusalText(error, socket)));
    }
    return this.server;
  }

  private finish(socket: TLSSocket): void {
    if (socket.destroyed) return;
    // Where a certificate is optional, Node lets a bad one pass like none at all.
    if (hasBadCertificate(socket)) {
      socket.on("error", () => undefined);
      this.refuse(socket, VERIFY_FAILED);
      return;
    }
    const accepted = acceptedSocket(socket);
    this.unfinished.delete(accepted);
    this.addresses.delete(accepted);
    this.ready(socket);
  }

  private refuse(socket: TLSSocket, reason: string): void {
    const accepted = acceptedSocket(socket);
    const addresses = this.addresses.get(accepted);
    // One line each, whatever else goes wrong with it; none for what we ended ourselves.
    if (addresses === undefined) return;
    this.addresses.delete(accepted);
    this.listening.onRefused(reason, addresses.remote, addresses.local);
    socket.destroy();
    accepted.destroy();
  }
}

/** The socket that Node wrapped. */
function acceptedSocket(socket: TLSSocket): Socket {
  return (socket as unknown as { _parent?: Socket })._parent ?? socket;
}

/** No certificate, or one that does not hold. Node gives the error's code, against its types. */
function isUnverified(socket: TLSSocket): boolean {
  return typeof (socket.authorizationError as unknown) === "string";
}

function hasBadCertificate(socket: TLSSocket): boolean {
  return isUnverified(socket) && Object.keys(socket.getPeerCertificate() ?? {}).length > 0;
}

/** OpenSSL's reason as Redis logs it: without the function, the file and the line. */
function refusalText(error: Error, socket: TLSSocket): string {
  // Node closes such a socket without a word of its own.
  if (isUnverified(socket)) return VERIFY_FAILED;
  const parts = /error:([0-9A-F]{8}):([^:]*):[^:]*:([^:]*)/.exec(error.message);
  return parts === null ? error.message : `error:${parts[1]}:${parts[2]}::${parts[3]}`;
}
