/** Validators that need the world; the composition root registers them: `config.validate("dir", directoryCheck(disk))`. */

import { DiskFault, reasonOf } from "../../core/faults.ts";
import type { Disk } from "../../core/host.ts";
import type { Validator } from "./config.ts";

/** Complains in the system's words about a `dir` that is not there or is no directory. */
export function directoryCheck(disk: Disk): Validator {
  return (value) => {
    try {
      const status = disk.status(Buffer.from(value, "latin1").toString("utf8"));
      if (status === undefined) return "No such file or directory";
      return status.isDirectory ? undefined : "Not a directory";
    } catch (error) {
      if (!(error instanceof DiskFault)) throw error;
      return reasonOf(error.cause);
    }
  };
}
