/**
 * Everkey under test: as a child process through its own entry point, or inside the test's process.
 *
 *      startEverkey            node bin/everkey server --port ... --dir ...     what a person starts
 *      startEverkeyInProcess   Everkey.start({ port: 0, ... })                  what a program starts
 *      startSubject            the first; EVERKEY_TEST_SUBJECT=redis takes the real server instead, which is how
 *                              the tests themselves are tested
 */
import { join } from "node:path";
import { type ChildServer, launchServer, type ServerOptions } from "./child-server.ts";
import { startRedis } from "./redis.ts";
import { repositoryRoot } from "./repository.ts";

/** Path of the program's entry point; EVERKEY_BIN names another build. */
export function everkeyProgram(): string {
  return process.env.EVERKEY_BIN ?? join(repositoryRoot(), "bin", "everkey");
}

/** Starts Everkey as a child process, without save points and with DEBUG allowed; `directives` go on top. */
export function startEverkey(options: ServerOptions = {}): Promise<ChildServer> {
  const directives = { save: "", "enable-debug-command": "yes", ...options.directives };
  return launchServer("everkey", process.execPath, [everkeyProgram(), "server"], { ...options, directives });
}

/** The server that tests of behaviour talk to: Everkey, or the real server when the tests are under test. */
export function startSubject(options: ServerOptions = {}): Promise<ChildServer> {
  const subject = process.env.EVERKEY_TEST_SUBJECT ?? "everkey";
  if (subject === "redis") return startRedis(options);
  if (subject !== "everkey") throw new Error(`EVERKEY_TEST_SUBJECT is everkey or redis, not ${subject}`);
  return startEverkey(options);
}

/** What `Everkey.start` gives. */
export interface EmbeddedServer {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

/** Starts Everkey in this process on a free port. `dir` is the caller's. */
export async function startEverkeyInProcess(
  dir: string,
  directives: Record<string, unknown> = {},
): Promise<EmbeddedServer> {
  // By address and not by name, so that this file builds where the package's entry does not.
  const entry = new URL("../../src/index.js", import.meta.url).href;
  const { Everkey } = await import(entry);
  return Everkey.start({ port: 0, dir, bind: "127.0.0.1", save: "", ...directives });
}
