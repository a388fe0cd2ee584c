/** The world as Node offers it: made once per server by the composition root, and the only way to I/O. */

import { readFileSync } from "node:fs";
import type { Host } from "../../core/host.ts";
import { NodeBackground } from "./node-background.ts";
import { NodeClock } from "./node-clock.ts";
import { NodeDisk } from "./node-disk.ts";
import { NodeNet } from "./node-net.ts";
import { NodeRandom } from "./node-random.ts";

export function nodeHost(): Host {
  return {
    clock: new NodeClock(),
    random: new NodeRandom(),
    disk: new NodeDisk(),
    net: new NodeNet(),
    background: new NodeBackground(),
    processId: process.pid,
    residentBytes,
  };
}

/** Resident memory of the process in bytes. Linux's own figure is ten times cheaper to read than Node's. */
function residentBytes(): number {
  try {
    const pages = Number(readFileSync("/proc/self/statm", "latin1").split(" ")[1]);
    return pages * 4096;
  } catch {
    return process.memoryUsage().rss;
  }
}
