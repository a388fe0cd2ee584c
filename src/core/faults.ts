/** Failures of the world (disk, net), with what was tried, where, and the system's own reason. */

/** A disk operation that failed. `code` is the system's word (ENOSPC, EACCES, ...), "" when it gave none. */
export class DiskFault extends Error {
  override name = "DiskFault";
  readonly operation: string;
  readonly path: string;
  readonly code: string;

  constructor(operation: string, path: string, cause: unknown) {
    super(`${operation} ${path}: ${reasonOf(cause)}`, { cause });
    this.operation = operation;
    this.path = path;
    this.code = codeOf(cause);
  }
}

/** A socket that could not be opened. */
export class NetFault extends Error {
  override name = "NetFault";
  readonly operation: string;
  readonly address: string;
  readonly code: string;

  constructor(operation: string, address: string, cause: unknown) {
    super(`${operation} ${address}: ${reasonOf(cause)}`, { cause });
    this.operation = operation;
    this.address = address;
    this.code = codeOf(cause);
  }
}

/** What of TlsSettings a TlsFault is about. */
export type TlsPart = "certificate" | "key" | "authorities" | "protocols" | "ciphers" | "cipherSuites" | "dhParameters";

/** TLS settings that cannot be used; the message is the library's reason. */
export class TlsFault extends Error {
  override name = "TlsFault";
  readonly part: TlsPart;

  constructor(part: TlsPart, reason: string, cause?: unknown) {
    super(reason, { cause });
    this.part = part;
  }
}

/** The system's error code of `cause`, "" when it has none. */
export function codeOf(cause: unknown): string {
  const code = (cause as { code?: unknown } | undefined)?.code;
  return typeof code === "string" ? code : "";
}

/** A person's sentence for `cause`. */
export function reasonOf(cause: unknown): string {
  const code = codeOf(cause);
  const known = REASONS.get(code);
  if (known !== undefined) return known;
  return cause instanceof Error ? cause.message : String(cause);
}

const REASONS = new Map([
  ["ENOENT", "No such file or directory"],
  ["EACCES", "Permission denied"],
  ["EPERM", "Operation not permitted"],
  ["ENOSPC", "No space left on device"],
  ["EIO", "Input/output error"],
  ["EISDIR", "Is a directory"],
  ["ENOTDIR", "Not a directory"],
  ["EROFS", "Read-only file system"],
  ["EMFILE", "Too many open files"],
  ["EADDRINUSE", "Address already in use"],
  ["EADDRNOTAVAIL", "Cannot assign requested address"],
]);
