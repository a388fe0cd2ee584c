/**
 * The log, in the form that tools for Redis read:
 *
 *      4711:M 21 Nov 2026 10:15:03.250 * Ready to accept connections tcp
 *      pid  │                          └ level: . debug  - verbose  * notice  # warning
 *           └ role: M primary, S replica, X Sentinel, C child
 *
 *  I1  Every line goes to the file (or standard output) at once: a crash loses none that was written.
 *  I2  A log that cannot be written does not stop the server; the first failure is said on standard error.
 */

import type { Clock, Disk, DiskFile } from "../core/host.ts";

export type LogLevel = "debug" | "verbose" | "notice" | "warning" | "nothing";

const LEVELS: readonly LogLevel[] = ["debug", "verbose", "notice", "warning", "nothing"];
const MARKS: Record<LogLevel, string> = { debug: ".", verbose: "-", notice: "*", warning: "#", nothing: "" };
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

export class Log {
  level: LogLevel;
  role: "M" | "S" | "X" | "C";
  private readonly clock: Clock;
  private readonly disk: Disk;
  private readonly processId: number;
  private readonly print: (text: string) => void;
  private file: DiskFile | undefined;
  private hasFailed: boolean;

  /** `print` receives the lines while no file is set. */
  constructor(clock: Clock, disk: Disk, processId: number, print: (text: string) => void) {
    this.level = "notice";
    this.role = "M";
    this.clock = clock;
    this.disk = disk;
    this.processId = processId;
    this.print = print;
    this.file = undefined;
    this.hasFailed = false;
  }

  /** Where lines go from now on: a path, or "" for standard output. Throws DiskFault. */
  setFile(path: string): void {
    const file = path === "" ? undefined : this.disk.open(path, "append");
    this.file?.close();
    this.file = file;
  }

  /** Whether a line of this level would be written. */
  isWanted(level: LogLevel): boolean {
    return LEVELS.indexOf(level) >= LEVELS.indexOf(this.level);
  }

  /** Adds one line, when its level is not below the one that is set. */
  write(level: LogLevel, text: string): void {
    if (!this.isWanted(level)) return;
    const line = `${this.processId}:${this.role} ${this.timestamp()} ${MARKS[level]} ${text}\n`;
    if (this.file === undefined) {
      this.print(line);
      return;
    }
    try {
      const bytes = new TextEncoder().encode(line);
      this.file.write(bytes, 0, bytes.length);
    } catch (error) {
      if (!this.hasFailed) this.print(`${line}The log file cannot be written: ${String(error)}\n`);
      this.hasFailed = true;
    }
  }

  close(): void {
    this.file?.close();
    this.file = undefined;
  }

  private timestamp(): string {
    const now = new Date(this.clock.nowMs());
    const two = (value: number): string => String(value).padStart(2, "0");
    const day = `${two(now.getDate())} ${MONTHS[now.getMonth()]} ${now.getFullYear()}`;
    const time = `${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())}`;
    return `${day} ${time}.${String(now.getMilliseconds()).padStart(3, "0")}`;
  }
}
