/**
 * Temporary folders of tests: each in the system's own place, gone when the test ends.
 *
 *  I1  A folder belongs to one test (or to one `before`/`after` pair) and to nobody else.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What a test's context and a suite's hooks have in common: something that runs at the end. */
export interface Ending {
  after(task: () => void | Promise<void>): void;
}

/** A new, empty folder. The caller removes it with `removeFolder`. */
export function createFolder(name = "test"): string {
  return mkdtempSync(join(tmpdir(), `everkey-${name}-`));
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}

/** A new, empty folder that is removed when `ending` (a test's context) is reached. */
export function temporaryFolder(ending: Ending, name = "test"): string {
  const folder = createFolder(name);
  ending.after(() => removeFolder(folder));
  return folder;
}
