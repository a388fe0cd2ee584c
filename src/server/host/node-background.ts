/** Background jobs on Node: one worker thread each, running background-main.ts. */

import { Worker } from "node:worker_threads";
import type { Background, BackgroundJob } from "../../core/host.ts";

export class NodeBackground implements Background {
  start(name: string): BackgroundJob {
    return new WorkerJob(
      new Worker(new URL(`./background-main${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url), {
        workerData: { job: name },
        // The job needs little: without a limit, its heap could grow to what the main thread may have.
        resourceLimits: { maxOldGenerationSizeMb: 256 },
      }),
    );
  }
}

class WorkerJob implements BackgroundJob {
  private readonly worker: Worker;
  private hasEnded: boolean;

  constructor(worker: Worker) {
    this.worker = worker;
    this.hasEnded = false;
  }

  post(message: unknown, transfer: ArrayBuffer[] = []): void {
    this.worker.postMessage(message, transfer);
  }

  onMessage(receive: (message: unknown) => void): void {
    this.worker.on("message", receive);
  }

  onFailure(receive: (error: Error) => void): void {
    this.worker.on("error", receive);
    this.worker.on("exit", (code) => {
      if (!this.hasEnded) receive(new Error(`the background thread ended with code ${code}`));
    });
  }

  end(): void {
    this.hasEnded = true;
    // A message that asks the thread to end: what was posted before is still done.
    this.worker.postMessage({ kind: "end" });
  }
}
