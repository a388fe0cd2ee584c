/** The background job "rdb": all that persistence does beside the main thread, told apart by the kind of its messages. */

import type { Disk } from "../core/host.ts";
import { checksumJob, type FromChecksumJob, type ToChecksumJob } from "./checksum-job.ts";
import { choresJob, type FromChoresJob, type ToChoresJob } from "./chores-job.ts";
import { type FromRdbJob, rdbJob, type ToRdbJob } from "./rdb-job.ts";

export type ToPersistenceJob = ToChecksumJob | ToChoresJob | ToRdbJob;
export type FromPersistenceJob = FromChecksumJob | FromChoresJob | FromRdbJob;

/** The job's own side: what is to be called with each message. */
export function persistenceJob(
  disk: Disk,
  send: (message: FromPersistenceJob, transfer?: ArrayBuffer[]) => void,
): (message: ToPersistenceJob) => void {
  const write = rdbJob(disk, send);
  const check = checksumJob(disk, send);
  const doChores = choresJob(disk, send);
  return (message) => {
    if (message.kind === "check") check(message);
    else if (message.kind === "chores") doChores(message);
    else write(message);
  };
}
