/**
 * Commands as people read them: the name, and arguments in quotes as redis-cli shows strings.
 *
 *      SET "user:42" "a line\r\nand \xff"            long arguments are cut: "aaaa…" (+9,936 bytes)
 *
 *  I1  No byte reaches a terminal as a control character.
 */

import type { Request } from "../../protocol/request.ts";

export interface CommandTextLimits {
  /** Bytes of an argument that are shown. */
  readonly argumentBytesMax: number;
  /** Arguments that are shown. */
  readonly argumentsMax: number;
}

export const SHORT: CommandTextLimits = { argumentBytesMax: 64, argumentsMax: 12 };
export const WHOLE: CommandTextLimits = {
  argumentBytesMax: Number.POSITIVE_INFINITY,
  argumentsMax: Number.POSITIVE_INFINITY,
};

const ESCAPES: readonly (readonly [number, string])[] = [
  [34, '\\"'],
  [92, "\\\\"],
  [10, "\\n"],
  [13, "\\r"],
  [9, "\\t"],
  [7, "\\a"],
  [8, "\\b"],
];

/** Each byte as it stands between quotes. */
const SHOWN: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const named = ESCAPES.find(([code]) => code === byte)?.[1];
  if (named !== undefined) return named;
  return byte >= 32 && byte < 127 ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`;
});

/** `bytes[start ... start+length)` in quotes, cut after `bytesMax`. */
export function quoted(bytes: Uint8Array, start: number, length: number, bytesMax = Number.POSITIVE_INFINITY): string {
  const end = start + Math.min(length, bytesMax);
  let text = '"';
  for (let at = start; at < end; at++) text += SHOWN[bytes[at]!];
  return length > bytesMax ? `${text}…" (+${length - bytesMax} bytes)` : `${text}"`;
}

/** The command that is loaded in `request`. */
export function commandText(request: Request, limits: CommandTextLimits = SHORT): string {
  const { input, offset, length, count } = request;
  let text = nameText(request);
  const shown = Math.min(count, limits.argumentsMax + 1);
  for (let index = 1; index < shown; index++) {
    text += ` ${quoted(input, offset[index]!, length[index]!, limits.argumentBytesMax)}`;
  }
  return shown < count ? `${text} … (+${count - shown} arguments)` : text;
}

/** Upper case; in quotes when it holds anything but letters and the like. */
function nameText(request: Request): string {
  const { input, offset, length } = request;
  const name = request.text(0);
  return /^[\w.|:-]+$/.test(name) ? name.toUpperCase() : quoted(input, offset[0]!, length[0]!, 64);
}
