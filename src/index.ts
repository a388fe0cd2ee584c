/** What a program gets from `import ... from "everkey"`. */

export { type DirectiveValue, Everkey, type EverkeyOptions } from "./server/everkey.ts";
export { StartFailure } from "./server/server.ts";
export { EVERKEY_VERSION } from "./server/version.ts";
