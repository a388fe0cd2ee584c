/**
 * Bytes that are no proper protocol, and sessions in which the number of replies matters: the same bytes back as from the real server.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { pairOfPrograms } from "../support/pair-of-servers.ts";
import { rawSessions, runRawSession } from "./raw-sessions.ts";

describe("a session gives the same bytes as with the real server", () => {
  const pair = pairOfPrograms();

  for (const session of rawSessions) {
    test(session.name, async () => {
      const expected = await runRawSession(pair.redis, session.bytes, session.bytes.length);
      assert.ok(!expected.includes("(and the connection stays open)"), "the session ends by itself");
      assert.equal(await runRawSession(pair.subject, session.bytes, session.bytes.length), expected, "in one piece");
      if (!session.maySplit) return;
      const pieceBytes = session.bytes.length > 2000 ? 1021 : 1;
      assert.equal(
        await runRawSession(pair.subject, session.bytes, pieceBytes),
        expected,
        `in pieces of ${pieceBytes} bytes`,
      );
    });
  }
});
