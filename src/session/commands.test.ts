/** Replies of the connection commands, as redis-server 7.0 gives them (tried) with what 7.2 changed. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { dataCommands } from "../commands/all.ts";
import { parseArguments } from "../commands/argument-syntax.ts";
import type { CommandTable } from "../commands/command.ts";
import { encode, type FakePeer, World } from "./testing.ts";

/** Asks each line's words and compares the reply. */
function expectReplies(peer: FakePeer, cases: readonly (readonly [string, string])[]): void {
  for (const [words, reply] of cases) assert.equal(peer.ask(...words.split(" ")), reply, words);
}

/** The text of a bulk string reply. */
function bulkText(reply: string): string {
  const start = reply.indexOf("\r\n") + 2;
  assert.equal(reply, `$${reply.length - start - 2}\r\n${reply.slice(start, -2)}\r\n`);
  return reply.slice(start, -2);
}

function fieldOf(line: string, name: string): string | undefined {
  return new RegExp(`(?:^| )${name}=(\\S*)`).exec(line)?.[1];
}

const WRONG_PASSWORD = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
const HELLO_2 =
  "*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.4\r\n$5\r\nproto\r\n:2\r\n$2\r\nid\r\n:1\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n";
const HELLO_3 = HELLO_2.replace("*14", "%7").replace(":2", ":3");

test("PING, ECHO, SELECT and their errors", () => {
  expectReplies(new World().connect(), [
    ["PING", "+PONG\r\n"],
    ["ping x", "$1\r\nx\r\n"],
    ["PING a b", "-ERR wrong number of arguments for 'ping' command\r\n"],
    ["ECHO x", "$1\r\nx\r\n"],
    ["ECHO", "-ERR wrong number of arguments for 'echo' command\r\n"],
    ["SELECT 15", "+OK\r\n"],
    ["SELECT 16", "-ERR DB index is out of range\r\n"],
    ["SELECT -1", "-ERR DB index is out of range\r\n"],
    ["SELECT x", "-ERR value is not an integer or out of range\r\n"],
    ["SELECT 2147483648", "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n"],
    ["SELECT 9223372036854775808", "-ERR value is not an integer or out of range\r\n"],
  ]);
});

test("SELECT separates databases, also inside one pipeline", () => {
  const peer = new World().connect();
  peer.send(
    encode("SET", "k", "0") + encode("SELECT", 1) + encode("GET", "k") + encode("SELECT", 0) + encode("GET", "k"),
  );
  assert.equal(peer.take(), "+OK\r\n+OK\r\n$-1\r\n+OK\r\n$1\r\n0\r\n");
});

test("QUIT answers, closes, and leaves the rest of the pipeline undone", () => {
  const world = new World();
  const peer = world.connect();
  peer.send(encode("QUIT", "now") + encode("SET", "k", "v"));
  assert.equal(peer.take(), "+OK\r\n");
  assert.ok(peer.connection.isClosed);
  assert.equal(world.session.clients.count, 0);
  assert.equal(world.connect().ask("GET", "k"), "$-1\r\n");
});

test("AUTH without a password to check", () => {
  expectReplies(new World().connect(), [
    [
      "AUTH x",
      "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?\r\n",
    ],
    ["AUTH default anything", "+OK\r\n"],
    ["AUTH somebody x", WRONG_PASSWORD],
    ["AUTH a b c", "-ERR syntax error\r\n"],
    ["AUTH", "-ERR wrong number of arguments for 'auth' command\r\n"],
  ]);
});

test("with a password nothing works before AUTH, and a failed AUTH takes nothing away", () => {
  const world = new World();
  const early = world.connect();
  world.session.setPassword("secret");
  expectReplies(world.connect(), [
    ["PING", "-NOAUTH Authentication required.\r\n"],
    ["CLIENT ID", "-NOAUTH Authentication required.\r\n"],
    ["FOO", "-ERR unknown command 'FOO', with args beginning with: \r\n"],
    ["AUTH secre", WRONG_PASSWORD],
    ["AUTH secretsecret", WRONG_PASSWORD],
    ["AUTH secret", "+OK\r\n"],
    ["PING", "+PONG\r\n"],
    ["AUTH no", WRONG_PASSWORD],
    ["PING", "+PONG\r\n"],
    ["AUTH other secret", WRONG_PASSWORD],
    ["RESET", "+RESET\r\n"],
    ["PING", "-NOAUTH Authentication required.\r\n"],
    ["AUTH default secret", "+OK\r\n"],
    ["PING", "+PONG\r\n"],
  ]);
  assert.equal(early.ask("PING"), "+PONG\r\n", "who was in before stays in");
  assert.equal(world.connect().ask("AUTH", ""), WRONG_PASSWORD);
  world.session.setPassword("");
  assert.equal(world.connect().ask("PING"), "+PONG\r\n");
});

test("a password of any bytes is compared byte by byte", () => {
  const world = new World();
  world.session.setPassword("p\xe4\0ss");
  assert.equal(world.connect().ask("AUTH", "p\xe4\0st"), WRONG_PASSWORD);
  assert.equal(world.connect().ask("AUTH", "p\xe4\0ss"), "+OK\r\n");
});

test("HELLO with all its options and errors", () => {
  expectReplies(new World().connect(), [
    ["HELLO", HELLO_2],
    ["HELLO x", "-ERR Protocol version is not an integer or out of range\r\n"],
    ["HELLO 99999999999999999999", "-ERR Protocol version is not an integer or out of range\r\n"],
    ["HELLO 9223372036854775807", "-NOPROTO unsupported protocol version\r\n"],
    ["HELLO 4", "-NOPROTO unsupported protocol version\r\n"],
    ["HELLO 3 AUTH", "-ERR Syntax error in HELLO option 'AUTH'\r\n"],
    ["HELLO 3 AUTH a", "-ERR Syntax error in HELLO option 'AUTH'\r\n"],
    ["HELLO 3 SETNAME", "-ERR Syntax error in HELLO option 'SETNAME'\r\n"],
    ["HELLO 3 BAD", "-ERR Syntax error in HELLO option 'BAD'\r\n"],
    ["HELLO 3 AUTH a b", WRONG_PASSWORD],
    ["HELLO 3 SETNAME \x7f", "-ERR Client names cannot contain spaces, newlines or special characters.\r\n"],
    ["CLIENT GETNAME", "$-1\r\n"],
    ["hello 3 setname me auth default x", HELLO_3],
    ["GET missing", "_\r\n"],
    ["CLIENT GETNAME", "$2\r\nme\r\n"],
    ["HELLO", HELLO_3],
    ["HELLO 2", HELLO_2],
    ["GET missing", "$-1\r\n"],
  ]);
});

test("HELLO of a stranger", () => {
  const world = new World();
  world.session.setPassword("pw");
  const careless = world.connect();
  expectReplies(careless, [
    ["HELLO 3 AUTH default pw BAD", "-ERR Syntax error in HELLO option 'BAD'\r\n"],
    ["PING", "-NOAUTH Authentication required.\r\n"],
  ]);
  expectReplies(world.connect(), [
    [
      "HELLO 3",
      "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time\r\n",
    ],
    ["HELLO 3 AUTH default no", WRONG_PASSWORD],
    ["PING", "-NOAUTH Authentication required.\r\n"],
    ["HELLO 3 AUTH default pw SETNAME x", HELLO_3.replace("id\r\n:1", "id\r\n:2")],
    ["PING", "+PONG\r\n"],
  ]);
});

test("RESET puts everything back that a client chose", () => {
  const world = new World();
  const peer = world.connect();
  expectReplies(peer, [
    ["HELLO 3 SETNAME x", HELLO_3],
    ["SELECT 5", "+OK\r\n"],
    ["CLIENT NO-EVICT ON", "+OK\r\n"],
    ["CLIENT NO-TOUCH ON", "+OK\r\n"],
    ["CLIENT REPLY OFF", ""],
    ["PING", ""],
    ["RESET", "+RESET\r\n"],
    ["CLIENT GETNAME", "$-1\r\n"],
    ["PING", "+PONG\r\n"],
  ]);
  const line = bulkText(peer.ask("CLIENT", "INFO"));
  assert.equal(fieldOf(line, "db"), "0");
  assert.equal(fieldOf(line, "flags"), "N");
  assert.equal(fieldOf(line, "resp"), "2");
});

test("CLIENT INFO shows the fields of Redis 7.2 in their order", () => {
  const world = new World();
  const peer = world.connect();
  peer.command("CLIENT", "SETINFO", "lib-name", "jedis").command("client", "setinfo", "LIB-VER", "5.0");
  world.advance(3500);
  peer.command("PING");
  world.advance(1200);
  const line = bulkText(peer.ask("CLIENT", "INFO"));
  assert.equal(
    line,
    "id=1 addr=127.0.0.1:40001 laddr=127.0.0.1:6379 fd=1 name= age=4 idle=0 flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf=0 qbuf-free=0 argv-mem=10 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=2048 events=r cmd=client|info user=default redir=-1 resp=2 lib-name=jedis lib-ver=5.0\n",
  );
});

test("CLIENT LIST shows clients in the order of connection, what they do and what they hold", () => {
  const world = new World();
  const first = world.connect();
  const second = world.connect({ isUnixSocket: true });
  const third = world.connect();
  second.command("CLIENT", "SETNAME", "waiting").command("BLOCK", 0);
  third.send("*2\r\n$4\r\nECHO\r\n$9\r\nhalf");
  world.advance(2000);
  const lines = bulkText(first.ask("CLIENT", "LIST")).split("\n");
  assert.equal(lines.length, 4);
  assert.deepEqual(
    lines
      .slice(0, 3)
      .map((line) => ["id", "flags", "name", "cmd", "idle", "argv-mem"].map((name) => fieldOf(line, name))),
    [
      ["1", "N", "", "client|list", "0", "10"],
      ["2", "bU", "waiting", "block", "2", "0"],
      ["3", "N", "", "NULL", "2", "4"],
    ],
  );
  assert.equal(fieldOf(lines[2]!, "qbuf"), "22");
  assert.equal(first.ask("HELLO", 3).slice(0, 2), "%7");
  assert.ok(/^=\d+\r\ntxt:id=1 /.test(first.ask("CLIENT", "LIST")));
});

test("CLIENT LIST filters", () => {
  const world = new World();
  const peer = world.connect();
  world.connect();
  world.connect();
  const ids = (...words: string[]): string[] =>
    bulkText(peer.ask("CLIENT", "LIST", ...words))
      .split("\n")
      .slice(0, -1)
      .map((line) => fieldOf(line, "id")!);
  assert.deepEqual(ids("ID", "3", "1", "77", "-1", "3"), ["3", "1", "3"]);
  assert.deepEqual(ids("TYPE", "Normal"), ["1", "2", "3"]);
  assert.deepEqual(ids("TYPE", "slave"), []);
  expectReplies(peer, [
    ["CLIENT LIST X", "-ERR syntax error\r\n"],
    ["CLIENT LIST TYPE", "-ERR syntax error\r\n"],
    ["CLIENT LIST TYPE bad", "-ERR Unknown client type 'bad'\r\n"],
    ["CLIENT LIST TYPE normal x", "-ERR syntax error\r\n"],
    ["CLIENT LIST ID", "-ERR syntax error\r\n"],
    ["CLIENT LIST ID 1 a", "-ERR Invalid client ID\r\n"],
    ["CLIENT LIST TYPE master", "$0\r\n\r\n"],
  ]);
});

test("with CLIENT NO-TOUCH only TOUCH counts as use of a key", () => {
  const world = new World(dataCommands());
  const peer = world.connect();
  peer.ask("SET", "k", "v");
  world.advance(10_000);
  peer.ask("CLIENT", "NO-TOUCH", "ON");
  peer.ask("GET", "k");
  assert.equal(peer.ask("OBJECT", "IDLETIME", "k"), ":10\r\n");
  peer.ask("TOUCH", "k");
  assert.equal(peer.ask("OBJECT", "IDLETIME", "k"), ":0\r\n");
  world.advance(10_000);
  peer.ask("GET", "k");
  assert.equal(peer.ask("OBJECT", "IDLETIME", "k"), ":10\r\n");
  peer.ask("RESET");
  peer.ask("GET", "k");
  assert.equal(peer.ask("OBJECT", "IDLETIME", "k"), ":0\r\n");
});

test("CLIENT's small subcommands and their errors", () => {
  expectReplies(new World().connect(), [
    ["CLIENT ID", ":1\r\n"],
    ["CLIENT GETREDIR", ":-1\r\n"],
    ["CLIENT SETNAME a", "+OK\r\n"],
    ["CLIENT GETNAME", "$1\r\na\r\n"],
    ["CLIENT SETNAME a\n", "-ERR Client names cannot contain spaces, newlines or special characters.\r\n"],
    ["CLIENT SETNAME ", "+OK\r\n"],
    ["CLIENT GETNAME", "$-1\r\n"],
    ["CLIENT SETINFO foo x", "-ERR Unrecognized option 'foo'\r\n"],
    ["CLIENT SETINFO Lib-Name \t", "-ERR Lib-Name cannot contain spaces, newlines or special characters.\r\n"],
    ["CLIENT NO-EVICT maybe", "-ERR syntax error\r\n"],
    ["CLIENT NO-TOUCH maybe", "-ERR syntax error\r\n"],
    ["CLIENT REPLY maybe", "-ERR syntax error\r\n"],
    ["CLIENT UNBLOCK a", "-ERR value is not an integer or out of range\r\n"],
    ["CLIENT UNBLOCK a X", "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR\r\n"],
    ["CLIENT UNBLOCK 1", ":0\r\n"],
    [
      "CLIENT UNBLOCK 1 ERROR x",
      "-ERR unknown subcommand or wrong number of arguments for 'UNBLOCK'. Try CLIENT HELP.\r\n",
    ],
    ["CLIENT ID x", "-ERR wrong number of arguments for 'client|id' command\r\n"],
    ["CLIENT", "-ERR wrong number of arguments for 'client' command\r\n"],
  ]);
  const help = new World().connect().ask("CLIENT", "HELP");
  assert.ok(
    help.startsWith("*54\r\n+CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n"),
    help.slice(0, 10),
  );
  assert.equal(help.split("\r\n").length, 56);
});

test("CLIENT REPLY: off, skip, and on again", () => {
  const peer = new World().connect();
  const after = (...commands: string[][]): string => {
    peer.take();
    peer.send(commands.map((words) => encode(...words)).join(""));
    return peer.take();
  };
  const reply = (mode: string): string[] => ["CLIENT", "REPLY", mode];
  const echo = (word: string): string[] => ["ECHO", word];
  assert.equal(after(reply("SKIP"), echo("a"), echo("b")), "$1\r\nb\r\n");
  assert.equal(after(reply("SKIP"), reply("SKIP"), echo("a"), echo("b")), "$1\r\nb\r\n");
  assert.equal(after(reply("SKIP"), reply("ON"), echo("a")), "+OK\r\n$1\r\na\r\n");
  assert.equal(after(reply("OFF"), echo("a"), reply("SKIP"), reply("ON"), echo("b")), "+OK\r\n$1\r\nb\r\n");
  assert.equal(after(reply("OFF"), reply("BAD"), ["NOPE"]), "");
  assert.equal(after(["RESET"], echo("c")), "+RESET\r\n$1\r\nc\r\n");
});

test("CLIENT REPLY SKIP holds for a command that waits, and for a protocol error", () => {
  const world = new World();
  const peer = world.connect();
  peer.send(encode("CLIENT", "REPLY", "SKIP") + encode("BLOCK", 50) + encode("ECHO", "next"));
  assert.equal(peer.take(), "");
  world.advance(100);
  assert.equal(peer.take(), "$4\r\nnext\r\n");
  peer.send(`${encode("CLIENT", "REPLY", "SKIP")}*1\r\nx\r\n`);
  assert.equal(peer.take(), "");
  assert.ok(peer.connection.isClosed);
});

test("a command that waits holds back what follows, and its timeout is answered", () => {
  const world = new World();
  const peer = world.connect();
  peer.send(encode("PING") + encode("BLOCK", 300) + encode("ECHO", "a"));
  peer.send(encode("ECHO", "b"), 3);
  assert.equal(peer.take(), "+PONG\r\n");
  assert.equal(world.session.blockedCount, 1);
  world.advance(200);
  assert.equal(peer.take(), "");
  world.advance(100);
  assert.equal(peer.take(), "*-1\r\n$1\r\na\r\n$1\r\nb\r\n");
  assert.equal(world.session.blockedCount, 0);
  assert.equal(world.clock.timerCount, 0);
});

test("CLIENT UNBLOCK wakes once, with a timeout's reply or an error", () => {
  const world = new World();
  const waiting = world.connect();
  const other = world.connect();
  waiting.send(encode("BLOCK", 5000) + encode("ECHO", "after"));
  other.send(encode("CLIENT", "UNBLOCK", 1) + encode("CLIENT", "UNBLOCK", 1) + encode("PING"));
  assert.equal(other.take(), ":1\r\n:0\r\n+PONG\r\n");
  assert.equal(waiting.take(), "*-1\r\n$5\r\nafter\r\n");
  assert.equal(world.clock.timerCount, 0);
  waiting.command("BLOCK", 0);
  assert.equal(other.ask("CLIENT", "UNBLOCK", 1, "error"), ":1\r\n");
  assert.equal(waiting.take(), "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
  assert.equal(world.session.statistics.errors.get("UNBLOCKED"), 1);
});

test("a client that goes while it waits is forgotten", () => {
  const world = new World();
  const waiting = world.connect();
  waiting.command("BLOCK", 1000);
  waiting.close();
  assert.equal(world.goneCount, 1);
  assert.equal(world.session.blockedCount, 0);
  assert.equal(world.clock.timerCount, 0);
  assert.equal(world.session.clients.count, 0);
});

test("CLIENT KILL by address: one client, also the caller", () => {
  const world = new World();
  const peer = world.connect();
  const other = world.connect();
  assert.equal(peer.ask("CLIENT", "KILL", "127.0.0.1:1"), "-ERR No such client\r\n");
  assert.equal(peer.ask("CLIENT", "KILL", "127.0.0.1:40002"), "+OK\r\n");
  assert.ok(other.connection.isDestroyed);
  peer.send(encode("CLIENT", "KILL", "127.0.0.1:40001") + encode("SET", "k", "v"));
  assert.equal(peer.take(), "+OK\r\n");
  assert.ok(peer.connection.isClosed);
  assert.equal(world.connect().ask("GET", "k"), "$-1\r\n");
});

test("CLIENT KILL filters", () => {
  const world = new World();
  const peers = [1, 2, 3, 4, 5].map(() => world.connect());
  const local = world.connect({ isUnixSocket: true });
  const caller = peers[0]!;
  expectReplies(caller, [
    ["CLIENT KILL ID", "-ERR No such client\r\n"],
    ["CLIENT KILL ID a", "-ERR client-id should be greater than 0\r\n"],
    ["CLIENT KILL ID 0", "-ERR client-id should be greater than 0\r\n"],
    ["CLIENT KILL TYPE bad", "-ERR Unknown client type 'bad'\r\n"],
    ["CLIENT KILL USER nobody", "-ERR No such user 'nobody'\r\n"],
    ["CLIENT KILL USER default SKIPME maybe", "-ERR syntax error\r\n"],
    ["CLIENT KILL ID 5 TYPE", "-ERR syntax error\r\n"],
    ["CLIENT KILL MAXAGE 5", "-ERR syntax error\r\n"],
    ["CLIENT KILL TYPE master", ":0\r\n"],
    ["CLIENT KILL ID 3 ADDR 127.0.0.1:40002", ":0\r\n"],
    ["CLIENT KILL ID 1", ":0\r\n"],
    ["CLIENT KILL ID 2", ":1\r\n"],
    ["CLIENT KILL ID 2", ":0\r\n"],
    ["CLIENT KILL ADDR 127.0.0.1:40003", ":1\r\n"],
    ["CLIENT KILL LADDR /run/everkey:0", ":1\r\n"],
  ]);
  assert.ok(local.connection.isDestroyed && peers[1]!.connection.isDestroyed && peers[2]!.connection.isDestroyed);
  peers[3]!.command("BLOCK", 0);
  caller.send(encode("CLIENT", "KILL", "USER", "default", "TYPE", "normal") + encode("CLIENT", "LIST"));
  assert.ok(/^:2\r\n\$\d+\r\nid=1 [^\n]*\n\r\n$/.test(caller.take()));
  assert.equal(world.goneCount, 1);
  assert.equal(caller.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "NO"), ":1\r\n");
  assert.ok(caller.connection.isClosed);
  assert.equal(world.session.clients.count, 0);
});

test("ids are never used twice", () => {
  const world = new World();
  world.connect().close();
  world.connect().close();
  assert.equal(world.connect().ask("CLIENT", "ID"), ":3\r\n");
});

test("the syntax of every command of the session can be read for COMMAND DOCS", () => {
  let count = 0;
  const check = (table: CommandTable): void => {
    for (const [name, { arguments: syntax, keys, subcommands }] of Object.entries(table)) {
      if (syntax !== undefined) assert.doesNotThrow(() => parseArguments(syntax, keys ?? []), name);
      if (subcommands !== undefined) check(subcommands);
      count++;
    }
  };
  check(new World().session.commands());
  assert.ok(count > 40);
});
