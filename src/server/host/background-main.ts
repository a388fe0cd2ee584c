/** Entry point of background threads: runs the job that `workerData.job` names until it is told to end. */

import { parentPort, workerData } from "node:worker_threads";
import { checksumJob } from "../../persistence/checksum-job.ts";
import { rdbJob } from "../../persistence/rdb-job.ts";
import { NodeDisk } from "./node-disk.ts";

const port = parentPort;
if (port !== null) {
  const { job } = workerData as { job: string };
  if (job !== "rdb") throw new Error(`there is no background job "${job}"`);
  const disk = new NodeDisk();
  const send = (message: unknown, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);
  const write = rdbJob(disk, send);
  const check = checksumJob(disk, send);
  port.on("message", (message) => {
    if (message.kind === "end") port.close();
    else if (message.kind === "check") check(message);
    else write(message);
  });
}
