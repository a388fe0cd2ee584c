/**
 * What one directive of redis.conf is: its name, the form of its value, its default, and what it does here.
 *
 *      hash-max-listpack-entries 512      integer      512
 *      maxmemory 100mb                    memory       "104857600"          every value is kept as the text that
 *      save 3600 1 300 100                save         "3600 1 300 100"     CONFIG GET gives for it
 *      rename-command DEBUG ""            lines        several lines, not part of CONFIG GET
 *
 *  I1  Directives are constants, shared by all Config instances; nothing here changes.
 *  I2  `initial` is already in the form that CONFIG GET gives.
 *  I3  `effect` is "" when the directive does here what it does in Redis; otherwise it says why it does not.
 *  Source: names, defaults and limits of Redis 7.2, compared with a running redis-server 7.0 in config.differential.test.ts.
 */

export type Kind =
  | { readonly type: "boolean" }
  /** `clamp`: values outside are taken, and moved to the nearest end. */
  | { readonly type: "integer"; readonly minimum: bigint; readonly maximum: bigint; readonly clamp?: Clamp }
  /** Permission bits, written as digits 0 to 7. */
  | { readonly type: "octal"; readonly maximum: bigint }
  | {
      readonly type: "memory";
      readonly minimum: bigint;
      readonly maximum: bigint;
      readonly allowsPercent: boolean;
      readonly clamp?: Clamp;
    }
  | { readonly type: "choice"; readonly choices: readonly string[] }
  /** Several of `choices` together; the first is what none at all is called. */
  | { readonly type: "choices"; readonly choices: readonly string[] }
  /** `keepsEmpty`: the empty text is a value of its own, and CONFIG REWRITE writes it; otherwise it means "not set". */
  | { readonly type: "text"; readonly keepsEmpty: boolean; readonly check?: (value: string) => string | undefined }
  | { readonly type: "directory" }
  | { readonly type: "save" }
  | { readonly type: "output-limits" }
  | { readonly type: "percentiles" }
  | { readonly type: "oom-values" }
  | { readonly type: "events" }
  | { readonly type: "bind" }
  | { readonly type: "primary" }
  /** Not a value but lines that stand beside each other; with the number of words after the name. */
  | { readonly type: "lines"; readonly wordsMin: number; readonly wordsMax: number };

export interface Clamp {
  readonly minimum: bigint;
  readonly maximum: bigint;
}

export interface Directive {
  readonly name: string;
  /** The older name, "" when there is none. */
  readonly alias: string;
  readonly kind: Kind;
  readonly initial: string;
  /** What an operator gets by setting it; one sentence for the documentation. */
  readonly about: string;
  readonly effect: string;
  /** CONFIG SET refuses it. */
  readonly isImmutable: boolean;
  /** CONFIG SET refuses it unless enable-protected-configs allows. */
  readonly isProtected: boolean;
  /** Never shown in logs, SLOWLOG or MONITOR. */
  readonly isSensitive: boolean;
  /** CONFIG GET shows it only by its whole name. */
  readonly isHidden: boolean;
  /** CONFIG SET answers LOADING while a snapshot is being loaded. */
  readonly isDeniedWhileLoading: boolean;
  /** Names a file: CONFIG SET puts the value into effect also when it is the same, as the content may have changed. */
  readonly isVolatile: boolean;
}

export interface DirectiveOptions {
  alias?: string;
  effect?: string;
  immutable?: true;
  protected?: true;
  sensitive?: true;
  hidden?: true;
  deniedWhileLoading?: true;
  volatile?: true;
}

export const INT_MAX = 2147483647n;
export const INT_MIN = -2147483648n;
export const UINT_MAX = 4294967295n;
export const LONG_MAX = 9223372036854775807n;
export const ULONG_MAX = 18446744073709551615n;
export const PORT_MAX = 65535n;

/** Why a directive has no effect yet or here. */
export const LATER_REPLICATION = "Replication is not part of this version yet.";
export const LATER_OUTGOING = "Outgoing connections come with replication.";
export const LATER_CLUSTER = "Cluster mode is not part of this version yet.";
export const NEVER_DEPRECATED = "Scripts never see the functions that Redis has withdrawn.";
export const NO_FORK = "Nothing is forked here, so there is no child process to place or to rank.";
export const NO_JEMALLOC = "Memory comes from Everkey's own arena, not from jemalloc.";
export const NO_MODULES = "Modules are native code for another program; they cannot be loaded.";
export const NO_AFFINITY = "Node offers no way to bind threads to processors; use taskset or the service manager.";
export const NO_SYSLOG = "There is no syslog writer; let the service manager collect standard output.";

export const NEVER_COMPRESSED = "Nodes of lists are never compressed in memory.";
export const BYTE_ORDER = "SORT ALPHA compares bytes, as Redis does in the C locale.";
export const DEFRAGS_IN_SLICES =
  "Moving is done in slices of a millisecond, in the share of time that other work leaves.";
export const ALWAYS_LAZY = "Freeing never holds the server: it is done at once at constant cost, or in slices.";

/** Builds one entry; the helpers below name the kinds. */
export function directive(
  kind: Kind,
  name: string,
  initial: string,
  about: string,
  options: DirectiveOptions = {},
): Directive {
  return {
    name,
    alias: options.alias ?? "",
    kind,
    initial,
    about,
    effect: options.effect ?? "",
    isImmutable: options.immutable === true,
    isProtected: options.protected === true,
    isSensitive: options.sensitive === true,
    isHidden: options.hidden === true,
    isDeniedWhileLoading: options.deniedWhileLoading === true,
    isVolatile: options.volatile === true,
  };
}

export function boolean(name: string, initial: "yes" | "no", about: string, options?: DirectiveOptions): Directive {
  return directive({ type: "boolean" }, name, initial, about, options);
}

export function integer(
  name: string,
  initial: number,
  minimum: number | bigint,
  maximum: number | bigint,
  about: string,
  options?: DirectiveOptions & { clamp?: Clamp },
): Directive {
  const limits = { minimum: BigInt(minimum), maximum: BigInt(maximum) };
  const clamp = options?.clamp;
  const kind: Kind = clamp === undefined ? { type: "integer", ...limits } : { type: "integer", ...limits, clamp };
  return directive(kind, name, String(initial), about, options);
}

/** `initial` in bytes. */
export function memory(
  name: string,
  initial: number,
  minimum: number | bigint,
  maximum: number | bigint,
  about: string,
  options?: DirectiveOptions & { clamp?: Clamp; percent?: true },
): Directive {
  const limits = {
    minimum: BigInt(minimum),
    maximum: BigInt(maximum),
    allowsPercent: options?.percent === true,
  };
  const clamp = options?.clamp;
  const kind: Kind = clamp === undefined ? { type: "memory", ...limits } : { type: "memory", ...limits, clamp };
  return directive(kind, name, String(initial), about, options);
}

export function choice(
  name: string,
  initial: string,
  choices: readonly string[],
  about: string,
  options?: DirectiveOptions,
): Directive {
  return directive({ type: "choice", choices }, name, initial, about, options);
}

export function choices(name: string, all: readonly string[], about: string, options?: DirectiveOptions): Directive {
  return directive({ type: "choices", choices: all }, name, all[0]!, about, options);
}

export function text(
  name: string,
  initial: string,
  about: string,
  options?: DirectiveOptions & { check?: (value: string) => string | undefined; keepsEmpty?: true },
): Directive {
  const keepsEmpty = initial !== "" || options?.keepsEmpty === true;
  const check = options?.check;
  const kind: Kind = check === undefined ? { type: "text", keepsEmpty } : { type: "text", keepsEmpty, check };
  return directive(kind, name, initial, about, options);
}

export function lines(
  name: string,
  wordsMin: number,
  wordsMax: number,
  about: string,
  options?: DirectiveOptions,
): Directive {
  return directive({ type: "lines", wordsMin, wordsMax }, name, "", about, { ...options, immutable: true });
}
