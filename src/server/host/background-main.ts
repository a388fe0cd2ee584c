/** Entry point of background threads: runs the job that `workerData.job` names until it is told to end. */

import { parentPort, workerData } from "node:worker_threads";
import { checksumJob } from "../../persistence/checksum-job.ts";
import { rdbJob } from "../../persistence/rdb-job.ts";
import { NodeDisk } from "./node-disk.ts";

const port = parentPort;
if (port !== null) {
  const disk = new NodeDisk();
  const send = (message: unknown, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);
  const jobs: Record<string, (message: never) => void> = {
    "rdb-writer": rdbJob(disk, send),
    "rdb-checksum": checksumJob(disk, send),
  };
  const { job } = workerData as { job: string };
  const receive = jobs[job];
  if (receive === undefined) throw new Error(`there is no background job "${job}"`);
  port.on("message", (message) => {
    if (message.kind === "end") port.close();
    else receive(message as never);
  });
}
