/**
 * Waiting for something that will be true, without guessing how long it takes.
 *
 *  I1  It returns as soon as the condition holds; the limit is only there to end a test that would hang.
 */

const POLL_MS = 10;

/** Resolves with the first result of `probe` that is not undefined, false or null. Rejects after `limitMs`, naming `what`. */
export async function waitUntil<T>(
  what: string,
  probe: () => Promise<T | undefined | false | null> | T | undefined | false | null,
  limitMs = 60_000,
): Promise<T> {
  const deadlineMs = performance.now() + limitMs;
  for (;;) {
    const result = await probe();
    if (result !== undefined && result !== false && result !== null) return result;
    if (performance.now() > deadlineMs) throw new Error(`waited ${limitMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
