/** Names that clients give themselves, and arguments inside error texts. */

import { ReplyError } from "../protocol/errors.ts";

export const BAD_CLIENT_NAME = new ReplyError(
  "ERR Client names cannot contain spaces, newlines or special characters.",
);

/** Whether every byte is a visible character: what names of clients and libraries may hold. */
export function isGoodName(name: string): boolean {
  return /^[!-~]*$/.test(name);
}

/** An argument inside an error text: it ends at a zero byte as a C string does. */
export function asText(argument: string): string {
  const zero = argument.indexOf("\0");
  return zero === -1 ? argument : argument.slice(0, zero);
}
