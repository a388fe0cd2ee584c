/**
 * The ACL file: one line per user, and nothing else.
 *
 *      user default on nopass ~* &* +@all
 *      user worker on #5e88... ~queue:* resetchannels -@all +@list
 *
 *  I1  A file with a mistake changes nothing: the first mistake of each line is reported.
 *  I2  A file is replaced as a whole or not at all.
 *  Source: what redis-server 7.0 reads and writes, and its reports.
 */

import { DiskFault, reasonOf } from "../../core/faults.ts";
import type { Disk } from "../../core/host.ts";
import { mergeSelectors } from "./rules.ts";
import { UNKNOWN } from "./selector.ts";
import type { User } from "./user.ts";

const READ_BYTES = 64 * 1024;

/** The users of a file's text, by name, or the report of all that is wrong. */
export function parseUsers(
  text: string,
  path: string,
  makeUser: (name: string) => User,
): { readonly users: Map<string, User> } | { readonly complaint: string } {
  const users = new Map<string, User>();
  let complaint = "";
  const lines = text.split("\n");
  for (const [index, raw] of lines.entries()) {
    const line = raw.replace(/^[ \t\r]+|[ \t\r]+$/g, "");
    if (line === "") continue;
    const failure = (what: string): void => {
      complaint += `${path}:${index + 1}: ${what}. `;
    };
    const words = line.split(" ");
    if (words[0] !== "user" || words.length < 2) {
      complaint += `${path}:${index + 1} should start with user keyword followed by the username. `;
      continue;
    }
    const name = words[1]!;
    if (/[\s\0]/.test(name)) {
      failure(`username '${name}' contains invalid characters`);
      continue;
    }
    if (users.has(name)) {
      complaint += `WARNING: Duplicate user '${name}' found on line ${index + 1}. `;
      continue;
    }
    const user = makeUser(name);
    users.set(name, user);
    const merged = mergeSelectors(words.slice(2));
    if ("unmatched" in merged) {
      failure("Unmatched parenthesis in selector definition");
      continue;
    }
    for (const rule of merged.rules) {
      const reason = user.apply(rule);
      if (reason === undefined) continue;
      failure(reason === UNKNOWN ? `Error in applying operation '${rule}': ${reason}` : reason);
      break;
    }
  }
  if (complaint === "") return { users };
  return {
    complaint: `${complaint}WARNING: ACL errors detected, no change to the previously active ACL rules was performed`,
  };
}

/** The file's text, one character per byte. Throws DiskFault. */
export function readUsersFile(disk: Disk, path: string): string {
  const file = disk.open(path, "read");
  try {
    const piece = new Uint8Array(READ_BYTES);
    let text = "";
    for (let count = 0; (count = file.read(piece, 0, READ_BYTES)) > 0; ) {
      text += Buffer.from(piece.buffer, 0, count).toString("latin1");
    }
    return text;
  } finally {
    file.close();
  }
}

/** Writes `lines` in the file's place. Returns what went wrong. */
export function writeUsersFile(disk: Disk, path: string, lines: readonly string[], mark: string): string | undefined {
  const temporary = `${path}.tmp-${mark}`;
  let isThere = false;
  try {
    const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""), "latin1");
    const file = disk.open(temporary, "create");
    isThere = true;
    try {
      file.write(bytes, 0, bytes.length);
      file.sync();
    } finally {
      file.close();
    }
    disk.rename(temporary, path);
    isThere = false;
    disk.syncDirectory(path.includes("/") ? path.slice(0, path.lastIndexOf("/")) || "/" : ".");
    return undefined;
  } catch (error) {
    if (!(error instanceof DiskFault)) throw error;
    if (isThere) removeQuietly(disk, temporary);
    return reasonOf(error.cause);
  }
}

/** The failure that counts has been told already. */
function removeQuietly(disk: Disk, path: string): void {
  try {
    disk.remove(path);
  } catch (error) {
    if (!(error instanceof DiskFault)) throw error;
  }
}
