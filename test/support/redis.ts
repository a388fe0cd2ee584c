/**
 * The real thing to compare with: Debian's redis-server and its tools, started in folders of their own.
 *
 *  I1  Nothing of the machine's own configuration is read: everything comes by arguments.
 */
import { execFile } from "node:child_process";
import { type ChildServer, launchServer, type ServerOptions } from "./child-server.ts";

/** Starts redis-server without save points and with DEBUG allowed; `directives` go on top. */
export function startRedis(options: ServerOptions = {}): Promise<ChildServer> {
  const directives = { save: "", "enable-debug-command": "yes", ...options.directives };
  return launchServer("redis", "redis-server", [], { ...options, directives });
}

export interface ToolResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end (`input` on its standard input). Resolves for every exit code; rejects when it cannot be run. */
export function runTool(program: string, args: readonly string[], input?: string | Buffer): Promise<ToolResult> {
  return new Promise((resolve, reject) => {
    const limits = { maxBuffer: 64 << 20, timeout: 300_000 };
    const child = execFile(program, args, limits, (fault, stdout, stderr) => {
      if (fault !== null && typeof fault.code !== "number") reject(fault);
      else resolve({ code: typeof fault?.code === "number" ? fault.code : 0, stdout, stderr });
    });
    child.stdin?.on("error", () => {}); // it may end before it has read everything
    child.stdin?.end(input ?? "");
  });
}

/** redis-cli against `server`; standard output without the last line end. Rejects on an exit code other than 0. */
export async function redisCli(
  server: { port: number },
  args: readonly string[],
  input?: string | Buffer,
): Promise<string> {
  const result = await runTool("redis-cli", ["-p", String(server.port), ...args], input);
  if (result.code !== 0) throw new Error(`redis-cli ${args.join(" ")}: exit code ${result.code}\n${result.stderr}`);
  return result.stdout.replace(/\n$/, "");
}
