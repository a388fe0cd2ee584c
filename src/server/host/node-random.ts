/** Random on Node: the system's generator, read in blocks since each call costs a microsecond. */

import { randomFillSync } from "node:crypto";
import type { Random } from "../../core/host.ts";

export class NodeRandom implements Random {
  private readonly block: Uint32Array;
  private position: number;

  constructor() {
    this.block = new Uint32Array(1024);
    this.position = this.block.length;
  }

  uint32(): number {
    if (this.position === this.block.length) {
      randomFillSync(this.block);
      this.position = 0;
    }
    return this.block[this.position++]!;
  }

  fill(target: Uint8Array): void {
    randomFillSync(target);
  }
}
