/**
 * Bytes that are no proper protocol, and sessions in which the number of replies matters: the same bytes back as from the real server.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ChildServer } from "../support/child-server.ts";
import { startSubject } from "../support/everkey.ts";
import { startRedis } from "../support/redis.ts";
import { rawSessions, runRawSession } from "./raw-sessions.ts";

describe("a session gives the same bytes as with the real server", () => {
  let redis: ChildServer;
  let subject: ChildServer;

  before(async () => {
    [redis, subject] = await Promise.all([startRedis(), startSubject()]);
  });

  after(async () => {
    await Promise.all([redis?.stop(), subject?.stop()]);
  });

  for (const session of rawSessions) {
    test(session.name, async () => {
      const expected = await runRawSession(redis, session.bytes, session.bytes.length);
      assert.ok(!expected.includes("(and the connection stays open)"), "the session ends by itself");
      assert.equal(await runRawSession(subject, session.bytes, session.bytes.length), expected, "in one piece");
      if (!session.maySplit) return;
      const pieceBytes = session.bytes.length > 2000 ? 1021 : 1;
      assert.equal(
        await runRawSession(subject, session.bytes, pieceBytes),
        expected,
        `in pieces of ${pieceBytes} bytes`,
      );
    });
  }
});
