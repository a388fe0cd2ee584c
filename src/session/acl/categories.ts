/**
 * Categories of commands: what ACL CAT lists, what `+@read` means.
 *
 *  I1  Categories that follow from a command's flags are not written into its table entry.
 *  Source: order and rules of redis-server 7.0.
 */

import type { AclCategory, CommandFlag, CommandSpec } from "../../commands/command.ts";

/** In the order in which they are shown. */
export const CATEGORIES: readonly AclCategory[] = [
  "keyspace",
  "read",
  "write",
  "set",
  "sortedset",
  "list",
  "hash",
  "string",
  "bitmap",
  "hyperloglog",
  "geo",
  "stream",
  "pubsub",
  "admin",
  "fast",
  "slow",
  "blocking",
  "dangerous",
  "connection",
  "transaction",
  "scripting",
];

/** All categories of a command, the ones that follow from its flags included, in Redis's order. */
export function aclCategories(spec: CommandSpec): readonly AclCategory[] {
  const has = (flag: CommandFlag): boolean => spec.flags.includes(flag);
  const found = new Set<AclCategory>(spec.acl);
  if (has("write")) found.add("write");
  if (has("readonly") && !found.has("scripting")) found.add("read");
  if (has("admin")) found.add("admin").add("dangerous");
  if (has("pubsub")) found.add("pubsub");
  if (has("blocking")) found.add("blocking");
  found.add(has("fast") ? "fast" : "slow");
  return CATEGORIES.filter((category) => found.has(category));
}

/** Whether `word` (lower case) names a category. */
export function isAclCategory(word: string): word is AclCategory {
  return CATEGORIES.some((category) => category === word);
}
