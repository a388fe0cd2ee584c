import assert from "node:assert/strict";
import { test } from "node:test";
import { SessionStatistics } from "../session/statistics.ts";
import { Rates } from "./rates.ts";

test("a rate is the mean of the last sixteen samples, whatever was before them", () => {
  const rates = new Rates();
  const statistics = new SessionStatistics();
  assert.equal(rates.operations, 0, "nothing is known yet");
  for (let tick = 0; tick < 50; tick++) {
    rates.sample(tick * 100, statistics);
    // Fast at first; for the last twenty ticks 30 commands, 5 turns and 2048 bytes in each tenth of a second.
    statistics.commands += tick < 30 ? 1000 : 30;
    statistics.inputBytes += 2048;
    statistics.outputBytes += 4096;
    statistics.readEvents += 5;
    statistics.turnsUs += 100;
  }
  assert.equal(rates.operations, 300);
  assert.equal(rates.inputKbps, 20);
  assert.equal(rates.outputKbps, 40);
  assert.equal(rates.turns, 50);
  assert.equal(rates.turnUs, 20);
});

test("CONFIG RESETSTAT makes no negative rate", () => {
  const rates = new Rates();
  const busy = new SessionStatistics();
  busy.commands = 1000;
  busy.inputBytes = 1000;
  rates.sample(0, busy);
  const fresh = new SessionStatistics();
  rates.sample(100, fresh);
  assert.equal(rates.operations, 0);
  fresh.commands = 10;
  fresh.inputBytes = 10;
  rates.sample(200, fresh);
  assert.equal(rates.operations, 100);
  assert.equal(rates.turnUs, 0);
});
