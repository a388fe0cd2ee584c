/** DEBUG PROTOCOL: one reply of each type, so that clients can be tried. Source: replies of redis-server 7.0. */

import type { CommandContext } from "../../commands/command.ts";
import { ReplyError } from "../../protocol/errors.ts";
import type { ReplyWriter } from "../../protocol/reply-writer.ts";
import type { Server } from "../server.ts";

const WRONG_TYPE_NAME = new ReplyError(
  "ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
);
const NOT_IN_RESP2 = new ReplyError("ERR RESP2 is not supported by this command");

const BIG_NUMBER = "1234567999999999999999999999999999999";

const REPLIES: Readonly<Record<string, (reply: ReplyWriter) => void>> = {
  STRING: (reply) => reply.bulkText("Hello World"),
  INTEGER: (reply) => reply.integer(12345),
  // biome-ignore lint/suspicious/noApproximativeNumericConstant: these are the digits that the real server sends.
  DOUBLE: (reply) => reply.double(3.141),
  BIGNUM: (reply) => {
    if (reply.protocol === 3) rawLine(reply, `(${BIG_NUMBER}`);
    else reply.bulkText(BIG_NUMBER);
  },
  NULL: (reply) => reply.nullBulk(),
  ARRAY: (reply) => {
    reply.array(3);
    for (let index = 0; index < 3; index++) reply.integer(index);
  },
  SET: (reply) => {
    reply.set(3);
    for (let index = 0; index < 3; index++) reply.integer(index);
  },
  MAP: (reply) => {
    reply.map(3);
    for (let index = 0; index < 3; index++) {
      reply.integer(index);
      reply.boolean(index === 1);
    }
  },
  ATTRIB: (reply) => {
    if (reply.protocol === 3) {
      rawLine(reply, "|1");
      reply.bulkText("key-popularity");
      reply.array(2);
      reply.bulkText("key:123");
      reply.integer(90);
    }
    reply.bulkText("Some real reply following the attribute");
  },
  PUSH: (reply) => {
    if (reply.protocol === 2) return reply.error(NOT_IN_RESP2);
    reply.push(2);
    reply.bulkText("server-cpu-usage");
    reply.integer(42);
    reply.bulkText("Some real reply following the push reply");
  },
  VERBATIM: (reply) => reply.verbatim("This is a verbatim\nstring", "txt"),
  TRUE: (reply) => reply.boolean(true),
  FALSE: (reply) => reply.boolean(false),
};

export function protocol(_: Server, { request, reply }: CommandContext): void {
  const write = REPLIES[request.text(2).toUpperCase()];
  if (write === undefined) reply.error(WRONG_TYPE_NAME);
  else write(reply);
}

function rawLine(reply: ReplyWriter, text: string): void {
  const bytes = Buffer.from(`${text}\r\n`, "latin1");
  reply.raw(bytes, 0, bytes.length);
}
