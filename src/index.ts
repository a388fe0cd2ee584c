/** What a program gets from `import ... from "everkey"`. */

export { type DirectiveValue, Everkey, type EverkeyOptions } from "./server/everkey.ts";
export { StartFailure } from "./server/start-failure.ts";
export { EVERKEY_VERSION } from "./server/version.ts";
