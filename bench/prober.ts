/**
 * A process of its own that asks PING about 2000 times a second and notes how long each answer took.
 *
 *      parent ── "begin" ──►  ◄── "begun" ──      probes: PING ─► answer ─► 0.4 ms pause ─► PING ...
 *      parent ── "report" ─►  ◄── ProbeReport ──  (after the probe that was under way has come back)
 *
 *  I1  Waiting for a processor is not a stall of the event loop. The kernel counts, per thread, how long it was ready and
 *      not running (second number of schedstat); `net` is the latency less the larger of what the prober and the
 *      server's main thread waited during the probe. The larger, not the sum: the two may overlap.
 *  I2  Nothing is allocated per probe, so that no garbage collection falls into one.
 *  Source: proc(5), and the kernel's scheduler statistics.
 *
 *  Arguments: port, process id of the server.
 */

import { openSync, readSync } from "node:fs";
import { connect } from "node:net";
import { setPriority } from "node:os";
import { pathToFileURL } from "node:url";

/** Times in ms. */
export interface Probe {
  readonly atMs: number;
  readonly latencyMs: number;
  readonly proberWaitMs: number;
  readonly serverWaitMs: number;
  readonly netMs: number;
}

export interface ProbeReport {
  readonly count: number;
  readonly medianMs: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  readonly netMaxMs: number;
  readonly netP999Ms: number;
  /** The five with the largest `netMs`. */
  readonly worst: readonly Probe[];
}

const SAMPLE_MAX = 1 << 20;
const PAUSE_MS = 0.4;
const WORST_COUNT = 5;
const PRIORITY = -15;

function main(port: number, serverProcessId: number): void {
  try {
    setPriority(PRIORITY);
  } catch {
    // Without the right to it the prober waits a little longer; I1 takes that out again.
  }
  const own = openSync("/proc/self/schedstat", "r");
  const server = openSync(`/proc/${serverProcessId}/schedstat`, "r");
  const text = Buffer.alloc(128);
  const ping = Buffer.from("PING\r\n");
  const nap = new Int32Array(new SharedArrayBuffer(4));
  const sentAt = new Float64Array(SAMPLE_MAX);
  const latency = new Float64Array(SAMPLE_MAX);
  const ownWait = new Float64Array(SAMPLE_MAX);
  const serverWait = new Float64Array(SAMPLE_MAX);
  let count = 0;
  let startMs = 0;
  let ownBefore = 0;
  let serverBefore = 0;
  let isBeginning = false;
  let isReporting = false;

  /** ms that the thread was ready and did not run, since its start. */
  const waitedMs = (descriptor: number): number => {
    const length = readSync(descriptor, text, 0, text.length, 0);
    let at = text.indexOf(32) + 1;
    let nanoseconds = 0;
    for (; at < length && text[at] !== 32; at++) nanoseconds = nanoseconds * 10 + text[at]! - 48;
    return nanoseconds / 1e6;
  };

  const probe = () => {
    if (isBeginning) {
      isBeginning = false;
      count = 0;
      startMs = performance.now();
      process.send!("begun");
    }
    Atomics.wait(nap, 0, 0, PAUSE_MS);
    ownBefore = waitedMs(own);
    serverBefore = waitedMs(server);
    sentAt[count] = performance.now();
    socket.write(ping);
  };

  const answered = () => {
    latency[count] = performance.now() - sentAt[count]!;
    ownWait[count] = waitedMs(own) - ownBefore;
    serverWait[count] = waitedMs(server) - serverBefore;
    if (count < SAMPLE_MAX - 1) count++;
    if (isReporting) {
      isReporting = false;
      process.send!(makeReport());
    }
    // Not at once: messages of the parent come in between two probes.
    setImmediate(probe);
  };

  const makeReport = (): ProbeReport => {
    const net = latency.slice(0, count);
    for (let index = 0; index < count; index++) {
      net[index] = Math.max(0, net[index]! - Math.max(ownWait[index]!, serverWait[index]!));
    }
    const order = Array.from(net.keys()).sort((left, right) => net[right]! - net[left]!);
    const sorted = latency.slice(0, count).sort();
    const sortedNet = net.slice().sort();
    const rank = (share: number) => Math.min(count - 1, Math.floor(count * share));
    return {
      count,
      medianMs: sorted[rank(0.5)]!,
      p999Ms: sorted[rank(0.999)]!,
      maxMs: sorted[count - 1]!,
      netMaxMs: sortedNet[count - 1]!,
      netP999Ms: sortedNet[rank(0.999)]!,
      worst: order.slice(0, WORST_COUNT).map((index) => ({
        atMs: sentAt[index]! - startMs,
        latencyMs: latency[index]!,
        proberWaitMs: ownWait[index]!,
        serverWaitMs: serverWait[index]!,
        netMs: net[index]!,
      })),
    };
  };

  const socket = connect({
    host: "127.0.0.1",
    port,
    noDelay: true,
    onread: {
      buffer: Buffer.alloc(1024),
      callback: () => {
        answered();
        return true;
      },
    },
  });
  socket.once("connect", probe);
  socket.on("error", () => process.exit(1));
  socket.on("close", () => process.exit(0));
  process.on("disconnect", () => process.exit(0));
  process.on("message", (message) => {
    if (message === "begin") isBeginning = true;
    else isReporting = true;
  });
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  main(Number(process.argv[2]), Number(process.argv[3]));
}
