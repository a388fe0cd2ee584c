import assert from "node:assert/strict";
import { test } from "node:test";
import { runChores } from "../../persistence/chores-job.ts";
import { NodeBackground } from "./node-background.ts";

/** One job, from start to end. */
function work(background: NodeBackground): Promise<Error | undefined> {
  return new Promise((resolve) => runChores(background, [{ step: "syncDirectory", path: "." }], resolve));
}

for (const isPrepared of [false, true]) {
  test(`a thread that is ${isPrepared ? "prepared" : "started when it is needed"} does one job after the other`, async () => {
    const background = new NodeBackground();
    if (isPrepared) background.prepare("rdb");
    for (let count = 0; count < 3; count++) assert.equal(await work(background), undefined);
    // The next job begins inside of the message that ended the last one.
    const chained = await new Promise((resolve) =>
      runChores(background, [], () => runChores(background, [], () => resolve("done"))),
    );
    assert.equal(chained, "done");
    background.close();
  });
}
