/** The Lua machine's bytes: the .wasm file of the npm package wasmoon-lua5.1, of which nothing else is used. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const FILE = "wasmoon-lua5.1/dist/liblua5.1.wasm";

/** Throws when the package is not installed as it should be. */
export function readLuaModule(): Uint8Array {
  return readFileSync(createRequire(import.meta.url).resolve(FILE));
}
