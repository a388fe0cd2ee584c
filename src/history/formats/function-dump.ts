/**
 * Function libraries as records of an RDB file, without a file around them: what FUNCTION DUMP gives before its footer.
 *
 *      0xF5  code as a string      0xF5  code as a string      ...
 *
 *  I1  Nothing else may stand there; what does is an RdbFault.
 *  Source: behaviour of redis-server 7.0 (FUNCTION DUMP, FUNCTION RESTORE).
 */

import { OPCODE_FUNCTION } from "./rdb-constants.ts";
import { RdbInput } from "./rdb-input.ts";

/** The records of libraries whose code is given. */
export function writeFunctionDump(codes: readonly Uint8Array[]): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (const code of codes) pieces.push(Uint8Array.of(OPCODE_FUNCTION, ...lengthBytes(code.length)), code);
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** The code of each library, copied. Throws RdbFault. */
export function readFunctionDump(bytes: Uint8Array): Uint8Array[] {
  const input = RdbInput.fromBytes(bytes, 0, bytes.length);
  const codes: Uint8Array[] = [];
  while (input.remaining() > 0) {
    input.reading = "type";
    const type = input.byte();
    if (type !== OPCODE_FUNCTION) throw input.fault(`type ${type} is no function library`);
    input.reading = "function library";
    input.string();
    codes.push(input.stringBytes.slice(input.stringStart, input.stringStart + input.stringLength));
  }
  return codes;
}

/** A length as strings have it before them. */
function lengthBytes(length: number): number[] {
  if (length < 64) return [length];
  if (length < 16384) return [0x40 | (length >> 8), length & 0xff];
  return [0x80, length >>> 24, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff];
}
