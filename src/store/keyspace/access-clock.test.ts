import assert from "node:assert/strict";
import { test } from "node:test";
import { AccessClock } from "./access-clock.ts";

function clockAt(seconds: number): AccessClock {
  const clock = new AccessClock();
  clock.setNow(seconds * 1000 + 7);
  return clock;
}

test("an idle time comes back as it went in, also across the clock's new beginning", () => {
  for (const nowSeconds of [1_795_222_892, 107 * 2 ** 24 + 3, 107 * 2 ** 24 - 1]) {
    const clock = clockAt(nowSeconds);
    for (const idle of [0, 1, 1000, 8_388_608, 16_000_000]) {
      assert.equal(clock.idleSeconds(clock.accessForIdle(idle)), idle, `${idle} at ${nowSeconds}`);
    }
  }
});

test("idle times that the clock cannot hold wrap around as they do in redis-server", () => {
  const clock = clockAt(1_795_222_892);
  const told = [16_777_215, 16_777_216, 20_000_000, 2_147_483_647, 2_147_483_648, 99_999_999_999];
  assert.deepEqual(
    told.map((idle) => clock.idleSeconds(clock.accessForIdle(idle))),
    [0, 1, 3_222_784, 0, 1, 7_792_639],
  );
});

test("a counter falls by one for every decay time that passes, and not below zero", () => {
  const clock = clockAt(1_795_222_860);
  const access = clock.accessForFrequency(9);
  assert.equal(clock.decayed(access), 9);
  clock.setNow((1_795_222_860 + 5 * 60) * 1000);
  assert.equal(clock.decayed(access), 4);
  clock.setNow((1_795_222_860 + 50 * 60) * 1000);
  assert.equal(clock.decayed(access), 0);
  clock.decayMinutes = 0;
  assert.equal(clock.decayed(access), 9);
});
