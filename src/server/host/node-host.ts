/** The world as Node offers it: made once per server by the composition root, and the only way to I/O. */

import { readFileSync } from "node:fs";
import { machine, release, totalmem, type } from "node:os";
import type { CpuSeconds, Host } from "../../core/host.ts";
import { readLuaModule } from "./lua-module.ts";
import { NodeBackground } from "./node-background.ts";
import { NodeClock } from "./node-clock.ts";
import { NodeDisk } from "./node-disk.ts";
import { NodeNet } from "./node-net.ts";
import { NodeRandom } from "./node-random.ts";
import { WriteBatch } from "./write-batch.ts";

export function nodeHost(): Host {
  const batch = new WriteBatch();
  return {
    clock: new NodeClock(() => batch.flush()),
    random: new NodeRandom(),
    disk: new NodeDisk(),
    net: new NodeNet(batch),
    background: new NodeBackground(),
    processId: process.pid,
    system: {
      name: `${type()} ${release()} ${machine()}`,
      executable: process.argv[1] ?? process.execPath,
      runtimeVersion: process.version,
      memoryBytes: totalmem(),
    },
    residentBytes,
    heapBytes,
    cpuSeconds,
    block,
    luaModule: readLuaModule,
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

function heapBytes(): { used: number; reserved: number } {
  const { heapUsed, heapTotal } = process.memoryUsage();
  return { used: heapUsed, reserved: heapTotal };
}

/** Node 20 does not know the main thread's share: there it is the whole process's. */
function cpuSeconds(): CpuSeconds {
  const whole = process.cpuUsage();
  const threadUsage = (process as { threadCpuUsage?: () => NodeJS.CpuUsage }).threadCpuUsage;
  const thread = threadUsage === undefined ? whole : threadUsage.call(process);
  return {
    system: whole.system / 1e6,
    user: whole.user / 1e6,
    mainThreadSystem: thread.system / 1e6,
    mainThreadUser: thread.user / 1e6,
  };
}

function block(delayMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, delayMs);
}
