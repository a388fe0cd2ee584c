/**
 * An arena that runs out of memory when a test says so.
 *
 *      failAfter(n)   the next n allocations that find no cell of their own size freed since succeed; from then on one
 *                     succeeds only if it finds one: what a real arena can still promise when its last frame is gone
 */

import { Arena, ArenaExhausted } from "./arena.ts";

export class ExhaustingArena extends Arena {
  /** New cells that there will still be. */
  private left = Number.POSITIVE_INFINITY;
  /** Cells freed since `failAfter`, by size. */
  private readonly spare = new Map<number, number>();

  failAfter(count: number): void {
    this.left = count;
    this.spare.clear();
  }

  /** There is memory again. */
  recover(): void {
    this.left = Number.POSITIVE_INFINITY;
  }

  override allocate(bytes: number): number {
    if (this.left === Number.POSITIVE_INFINITY) return super.allocate(bytes);
    const cell = Arena.cellBytes(bytes);
    const spare = this.spare.get(cell) ?? 0;
    if (spare > 0) this.spare.set(cell, spare - 1);
    else if (this.left > 0) this.left--;
    else throw new ArenaExhausted("the test says so");
    return super.allocate(bytes);
  }

  override free(address: number): void {
    if (this.left !== Number.POSITIVE_INFINITY) {
      const cell = this.capacity(address);
      this.spare.set(cell, (this.spare.get(cell) ?? 0) + 1);
    }
    super.free(address);
  }

  override reset(): void {
    super.reset();
    this.recover(); // all that was used is free
  }
}
