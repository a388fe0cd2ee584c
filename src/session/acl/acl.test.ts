import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { dataCommands } from "../../commands/all.ts";
import { globMatchText } from "../../core/glob.ts";
import { type FakePeer, World } from "../testing.ts";
import { parseUsers } from "./file.ts";
import { AclLog } from "./log.ts";
import { Pattern } from "./pattern.ts";
import { mergeSelectors } from "./rules.ts";

/** A client of `user`, which is made by `rules`. */
function clientOf(world: World, user: string, ...rules: string[]): FakePeer {
  assert.equal(world.session.acl.setUser(user, ["reset", "on", "nopass", ...rules]), undefined);
  const peer = world.connect();
  assert.equal(peer.ask("AUTH", user, "x"), "+OK\r\n");
  return peer;
}

test("a pattern matches what the glob matches", () => {
  const letters = fc.string({ unit: fc.constantFrom("a", "b", "*", "?", "[", "]", "\\"), maxLength: 6 });
  const words = fc.string({ unit: fc.constantFrom("a", "b", "*"), maxLength: 6 });
  fc.assert(
    fc.property(letters, words, (pattern, text) => {
      const bytes = Buffer.from(`<${text}>`, "latin1");
      assert.equal(new Pattern(pattern, 0).matches(bytes, 1, text.length), globMatchText(pattern, text, false));
    }),
    { numRuns: 2000 },
  );
});

test("rules are shown in the order in which they were given, without those that later ones replace", () => {
  const world = new World(dataCommands());
  const { acl } = world.session;
  acl.setUser("a", ["+@all", "-get", "+@read", "-@READ", "+get", "+client|list", "-client", "+select|0", "+select|1"]);
  assert.equal(acl.find("a")!.selectors[0]!.describeCommands(), "+@all -@read +get -client +select|0 +select|1");
  acl.setUser("a", ["-@all", "+get", "+GET"]);
  assert.equal(acl.find("a")!.describe(), "user a off sanitize-payload resetchannels -@all +get");
});

test("a line that describes a user makes the same user", () => {
  const world = new World(dataCommands());
  const { acl } = world.session;
  acl.setUser("a", ["on", ">p", "~a*", "%R~b", "&c", "+@read", "-get", "(+set %W~x)", "(allkeys &d)"]);
  const line = acl.find("a")!.describe();
  acl.setUser("b", line.split(" ").slice(2));
  assert.equal(acl.find("b")!.describe(), line.replace("user a", "user b"));
});

test("SETUSER with one bad rule changes nothing", () => {
  const world = new World();
  const { acl } = world.session;
  acl.setUser("a", ["on", "+get"]);
  const before = acl.find("a")!.describe();
  assert.equal(acl.setUser("a", ["off", "+set", "what"]), "Error in ACL SETUSER modifier 'what': Syntax error");
  assert.equal(acl.find("a")!.describe(), before);
  assert.equal(acl.setUser("new", ["what"]), "Error in ACL SETUSER modifier 'what': Syntax error");
  assert.equal(acl.find("new"), undefined);
});

test("refusals name the user and the command, but no key and no channel", () => {
  const peer = clientOf(new World(), "bob", "~a*", "+get", "+publish");
  assert.equal(peer.ask("GET", "abc"), "$-1\r\n");
  assert.equal(peer.ask("GET", "b"), "-NOPERM No permissions to access a key\r\n");
  assert.equal(peer.ask("PUBLISH", "c", "m"), "-NOPERM No permissions to access a channel\r\n");
  assert.equal(peer.ask("SET", "a", "1"), "-NOPERM User bob has no permissions to run the 'set' command\r\n");
  assert.equal(peer.ask("CLIENT", "ID"), "-NOPERM User bob has no permissions to run the 'client|id' command\r\n");
});

test("a client that waits is refused when its key comes after its rights have gone", () => {
  const world = new World(dataCommands());
  const peer = clientOf(world, "bob", "~*", "+blpop");
  const admin = world.connect();
  assert.equal(peer.ask("BLPOP", "k", "0"), "");
  admin.ask("ACL", "SETUSER", "bob", "resetkeys");
  assert.equal(admin.ask("RPUSH", "k", "v"), ":1\r\n");
  assert.equal(peer.take(), "-NOPERM No permissions to access a key\r\n");
  assert.equal(admin.ask("LLEN", "k"), ":1\r\n");
});

test("whose user is deleted is closed, the caller after its reply", () => {
  const world = new World();
  const other = clientOf(world, "bob", "+@all");
  const self = clientOf(world, "bob", "+@all");
  assert.equal(self.ask("ACL", "DELUSER", "bob"), ":1\r\n");
  assert.equal(self.connection.isClosed, true);
  assert.equal(other.connection.isClosed, true);
});

test("a password for the default user is asked of new connections, also when ACL SETUSER sets it", () => {
  const world = new World();
  const first = world.connect();
  assert.equal(first.ask("ACL", "SETUSER", "default", ">p"), "+OK\r\n");
  assert.equal(first.ask("GET", "a"), "$-1\r\n");
  const second = world.connect();
  assert.equal(second.ask("GET", "a"), "-NOAUTH Authentication required.\r\n");
  assert.equal(second.ask("AUTH", "p"), "+OK\r\n");
  assert.equal(second.ask("ACL", "SETUSER", "default", "nopass", "off"), "+OK\r\n");
  assert.equal(world.connect().ask("GET", "a"), "-NOAUTH Authentication required.\r\n");
});

test("a renamed command keeps its name in rules", () => {
  const world = new World();
  world.commands.rename("get", "fetch");
  world.commands.rename("set", "");
  const peer = clientOf(world, "bob", "~*", "+get", "+set");
  assert.equal(peer.ask("FETCH", "a"), "$-1\r\n");
});

test("acl-pubsub-default opens the channels of new users and selectors", () => {
  const world = new World();
  world.session.acl.opensChannels = true;
  world.session.acl.setUser("a", ["(+get)"]);
  assert.equal(world.session.acl.find("a")!.describe(), "user a off sanitize-payload &* -@all (&* -@all +get)");
});

test("the log groups what is alike within a minute, keeps ids, and forgets the oldest", () => {
  const log = new AclLog();
  log.setLengthMax(2);
  log.add("key", "toplevel", "k", "u", "c1", 1000);
  log.add("key", "toplevel", "k", "u", "c2", 61_000);
  assert.deepEqual(log.entries[0], {
    id: 0,
    count: 2,
    reason: "key",
    context: "toplevel",
    object: "k",
    user: "u",
    createdMs: 1000,
    updatedMs: 61_000,
    client: "c2",
  });
  log.add("key", "toplevel", "k", "u", "c2", 121_001);
  log.add("key", "multi", "k", "u", "c2", 121_001);
  assert.deepEqual(
    log.entries.map(({ id, count }) => [id, count]),
    [
      [2, 1],
      [1, 1],
    ],
  );
});

test("selectors that are spread over words are put together", () => {
  assert.deepEqual(mergeSelectors(["on", "(+get", "~a)", "()", "off"]), { rules: ["on", "(+get ~a)", "()", "off"] });
  assert.deepEqual(mergeSelectors(["(+get", "~a"]), { unmatched: "(+get" });
});

test("all mistakes of a file are reported, one a line", () => {
  const { acl } = new World().session;
  const text = "user a on +nosuch +what\nusr\n\nuser a on\nuser b ~a ~* ~b\nuser c (+get\n";
  const parsed = parseUsers(text, "u.acl", () => {
    acl.setUser("x", ["reset"]);
    return acl.find("x")!;
  });
  assert.deepEqual(parsed, {
    complaint:
      "u.acl:1: Error in applying operation '+nosuch': Unknown command or category name in ACL. " +
      "u.acl:2 should start with user keyword followed by the username. " +
      "WARNING: Duplicate user 'a' found on line 4. " +
      "u.acl:5: Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns. " +
      "u.acl:6: Unmatched parenthesis in selector definition. " +
      "WARNING: ACL errors detected, no change to the previously active ACL rules was performed",
  });
});
