/** Entry point of background threads: runs the job that `workerData.job` names until it is told to end. */

import { parentPort, workerData } from "node:worker_threads";
import { persistenceJob } from "../../persistence/background-job.ts";
import { NodeDisk } from "./node-disk.ts";

const port = parentPort;
if (port !== null) {
  const { job } = workerData as { job: string };
  if (job !== "rdb") throw new Error(`there is no background job "${job}"`);
  const run = persistenceJob(new NodeDisk(), (message, transfer = []) => port.postMessage(message, transfer));
  port.on("message", (message) => {
    if (message.kind === "end") port.close();
    else run(message);
  });
}
