import assert from "node:assert/strict";
import { test } from "node:test";
import { parseReply, plainReply, printable, ReplyFramer } from "./reply.ts";
import { freshSeed, SeededRandom } from "./seed.ts";

const REPLIES = [
  "+OK\r\n",
  "-ERR no\r\n",
  ":-42\r\n",
  "$-1\r\n",
  "$0\r\n\r\n",
  "$4\r\n\r\n:1\r\n",
  "*-1\r\n",
  "*0\r\n",
  "*2\r\n$1\r\na\r\n*2\r\n:1\r\n*0\r\n",
  "_\r\n",
  ",1.5\r\n",
  "#t\r\n",
  "(12345678901234567890\r\n",
  "=8\r\ntxt:\r\n$9\r\n",
  "!6\r\nERR ab\r\n",
  "%2\r\n+a\r\n:1\r\n+b\r\n%1\r\n+c\r\n_\r\n",
  "~2\r\n+a\r\n+b\r\n",
  ">2\r\n+message\r\n$1\r\nx\r\n",
  "|1\r\n+ttl\r\n:3600\r\n*1\r\n+value\r\n",
].map((text) => Buffer.from(text, "latin1"));

test("replies of every type are framed at their ends, wherever the stream is cut", (context) => {
  const seed = freshSeed();
  context.diagnostic(`seed ${seed}`);
  const random = new SeededRandom(seed);
  const stream = Buffer.concat(REPLIES);
  for (let round = 0; round < 200; round++) {
    const framer = new ReplyFramer();
    const framed: Buffer[] = [];
    for (let at = 0; at < stream.length; ) {
      const length = random.between(1, round === 0 ? 1 : 40);
      framed.push(...framer.push(stream.subarray(at, at + length)));
      at += length;
    }
    assert.deepEqual(framed.map(String), REPLIES.map(String));
    assert.equal(framer.rest().length, 0);
  }
});

test("a reply that is not whole is kept, and bytes that are no reply are refused", () => {
  const framer = new ReplyFramer();
  assert.deepEqual(framer.push(Buffer.from("*2\r\n$3\r\nab")), []);
  assert.equal(framer.rest().toString(), "*2\r\n$3\r\nab");
  assert.throws(() => new ReplyFramer().push(Buffer.from("HTTP/1.1 200\r\n")), /unknown reply type/);
  assert.throws(() => new ReplyFramer().push(Buffer.from("$x\r\n")), /bad reply header/);
});

test("a reply is taken apart into plain values", () => {
  const plain = (text: string): unknown => plainReply(Buffer.from(text, "latin1"));
  assert.deepEqual(plain("*3\r\n:1\r\n$-1\r\n*1\r\n+a\r\n"), [1, null, ["a"]]);
  assert.deepEqual(plain("%1\r\n+a\r\n:2\r\n"), ["a", 2]);
  assert.ok(plain("-ERR no\r\n") instanceof Error);
  assert.throws(() => parseReply(Buffer.from("+OK\r\n+OK\r\n")), /left over/);
});

test("bytes are shown so that they can be read and typed", () => {
  assert.equal(printable(Buffer.from('a"\\\r\n\x00\xff', "latin1")), 'a\\"\\\\\\r\\n\\x00\\xff');
  assert.equal(printable(Buffer.alloc(5, "a"), 3), "aaa...(5 bytes)");
});
