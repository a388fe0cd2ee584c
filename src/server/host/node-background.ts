/**
 * Background jobs on Node: worker threads running background-main.ts.
 *
 *      prepare ──► idle thread ──► start: job ──► end(clean) ──► idle thread again
 *                                       └──────► end(not clean): the thread goes when it has done what was posted
 *
 *  I1  At most one idle thread of each name is kept; it does not hold the process.
 *
 * Starting a thread takes the main thread 3 to 9 ms (an isolate is made), which would be the longest stall of a BGSAVE.
 */

import { Worker } from "node:worker_threads";
import type { Background, BackgroundJob } from "../../core/host.ts";

export class NodeBackground implements Background {
  private readonly idle: Map<string, Worker>;
  private isClosed: boolean;

  constructor() {
    this.idle = new Map();
    this.isClosed = false;
  }

  prepare(name: string): void {
    if (!this.idle.has(name)) this.keep(name, startThread(name));
  }

  start(name: string): BackgroundJob {
    const ready = this.idle.get(name);
    this.idle.delete(name);
    if (ready !== undefined) stopListening(ready);
    const thread = ready ?? startThread(name);
    thread.ref();
    return new ThreadJob(thread, (isClean) => {
      if (isClean && !this.isClosed && !this.idle.has(name)) this.keep(name, thread);
      else endThread(thread);
    });
  }

  close(): void {
    this.isClosed = true;
    for (const thread of this.idle.values()) endThread(thread);
    this.idle.clear();
  }

  private keep(name: string, thread: Worker): void {
    stopListening(thread);
    thread.unref();
    const forget = (): void => {
      if (this.idle.get(name) === thread) this.idle.delete(name);
    };
    thread.on("error", forget);
    thread.on("exit", forget);
    this.idle.set(name, thread);
  }
}

function startThread(name: string): Worker {
  return new Worker(new URL(`./background-main${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url), {
    workerData: { job: name },
    // The job needs little: without a limit, its heap could grow to what the main thread may have.
    resourceLimits: { maxOldGenerationSizeMb: 256 },
  });
}

/**
 * One name after the other: without a name, listeners of Node's own would go as well, and a thread whose messages nobody
 * listens to for a moment would never be heard again.
 */
function stopListening(thread: Worker): void {
  for (const event of ["message", "error", "exit"]) thread.removeAllListeners(event);
}

/** Asks the thread to end: what was posted before is still done. */
function endThread(thread: Worker): void {
  stopListening(thread);
  thread.on("error", () => undefined);
  thread.postMessage({ kind: "end" });
}

class ThreadJob implements BackgroundJob {
  private readonly thread: Worker;
  private readonly release: (isClean: boolean) => void;
  private hasEnded: boolean;

  constructor(thread: Worker, release: (isClean: boolean) => void) {
    this.thread = thread;
    this.release = release;
    this.hasEnded = false;
  }

  post(message: unknown, transfer: ArrayBuffer[] = []): void {
    this.thread.postMessage(message, transfer);
  }

  onMessage(receive: (message: unknown) => void): void {
    this.thread.on("message", receive);
  }

  onFailure(receive: (error: Error) => void): void {
    this.thread.on("error", receive);
    this.thread.on("exit", (code) => {
      if (!this.hasEnded) receive(new Error(`the background thread ended with code ${code}`));
    });
  }

  end(isClean: boolean): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.release(isClean);
  }
}
