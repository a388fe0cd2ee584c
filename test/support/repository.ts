/**
 * Where the repository is, seen from a compiled test: dist/test/..., or any other folder that was built into.
 *
 *  I1  The answer is a folder that holds Everkey's package.json, or an error is thrown; it is never a guess.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** True when `folder` holds a package.json of this package. */
function isRepository(folder: string): boolean {
  const manifest = join(folder, "package.json");
  return existsSync(manifest) && JSON.parse(readFileSync(manifest, "utf8")).name === "everkey";
}

/** Absolute path of the repository: the nearest one above this file, else above the working folder. Throws when there is none. */
export function repositoryRoot(): string {
  for (const start of [import.meta.dirname, process.cwd()]) {
    for (let folder = start; ; folder = dirname(folder)) {
      if (isRepository(folder)) return folder;
      if (dirname(folder) === folder) break;
    }
  }
  throw new Error("no package.json of everkey above this file or above the working folder");
}
