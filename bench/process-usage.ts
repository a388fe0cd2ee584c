/**
 * What a process has used, as Linux counts it under /proc.
 *
 *  I1  CPU is the sum over all threads: a server that moves work to another thread still pays for it.
 *  I2  `task/<tid>/schedstat` counts nanoseconds but forgets threads that ended; `stat` counts ticks of 10 ms and forgets
 *      nothing. `cpuMicroseconds` takes the larger of the two, so a thread that ended is at most one tick short.
 *  Source: proc(5).
 */

import { readdirSync, readFileSync } from "node:fs";

const TICK_US = 10_000;

/** User and system time of all threads since the start, in microseconds. */
export function cpuMicroseconds(processId: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${processId}/task`)) {
    try {
      nanoseconds += Number(readFileSync(`/proc/${processId}/task/${thread}/schedstat`, "latin1").split(" ")[0]);
    } catch {
      // The thread ended between the listing and the reading; `stat` below still knows its time.
    }
  }
  const stat = readFileSync(`/proc/${processId}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  return Math.max(nanoseconds / 1000, (ticks - 1) * TICK_US);
}

/** Resident memory in bytes. Exact (smaps), not the per-thread estimate of `statm`. Takes about a ms per GB. */
export function residentBytes(processId: number): number {
  const line = /^Rss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${processId}/smaps_rollup`, "latin1"));
  if (line === null) throw new Error(`no Rss in /proc/${processId}/smaps_rollup`);
  return Number(line[1]) * 1024;
}

/** Resident memory in bytes, cheap and up to some 100 KB behind: for sampling while something else is measured. */
export function residentBytesFast(processId: number): number {
  return Number(readFileSync(`/proc/${processId}/statm`, "latin1").split(" ")[1]) * 4096;
}
