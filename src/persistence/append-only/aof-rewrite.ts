/**
 * AofRewrite: a new base, and the increments from it on; what came before is superseded.
 *
 *      1  a new increment, empty, in the manifest     [old base][old increments][new increment]
 *      2  at one offset: the log goes on into it, and a snapshot of that moment begins
 *      3  the snapshot stands complete as the new base, not named yet
 *      4  what is superseded is named in the history (when it is kept), then the manifest: [new base][new increment]
 *      5  what nobody keeps is removed
 *
 *      when there is no base that could be trusted (the file was just turned on, an fsync failed), the increment of step 1
 *      lies aside under a temporary name and in no manifest, and gets its name in step 4.
 *
 *  I1  A crash between any two steps leaves a manifest whose files are all there and give the state that was promised.
 *  I2  Everything that may wait for the device is done beside the event loop.
 *
 *  Source: how redis-server 7.0 rewrites; the history is our own.
 */

import type { Background, Clock } from "../../core/host.ts";
import type { AofFile, AofManifest } from "../../history/formats/aof-manifest.ts";
import type { SnapshotOptions } from "../../history/snapshot/snapshot-stream.ts";
import type { Keyspace } from "../../store/keyspace/keyspace.ts";
import { BackgroundSnapshot, type SnapshotEnd } from "../background-snapshot.ts";
import type { Chore } from "../chores-job.ts";
import type { AofDirectory } from "./aof-directory.ts";

export interface RewriteServices {
  readonly keyspace: Keyspace;
  readonly clock: Clock;
  readonly background: Background;
  /** Has steps on the disk done in the background; none of another list goes on at the same time. */
  readonly runChores: (chores: readonly Chore[], done: (error: Error | undefined) => void) => void;
  readonly log: (level: "debug" | "verbose" | "notice" | "warning", text: string) => void;
  /** Lets the log go on into the file at `path`, if there is to be one; returns its offset now. Throws DiskFault. */
  readonly rotate: (path: string | undefined) => number;
  /** Head of a base that holds the state at `offset`. */
  readonly describe: (offset: number) => SnapshotOptions;
  readonly ended: (error: Error | undefined) => void;
}

export interface RewriteOptions {
  /** The files there are cannot be trusted or do not belong to the data. */
  readonly isFresh: boolean;
  /** The log is being written: the new base gets an increment. Otherwise it stands alone. */
  readonly hasIncrement: boolean;
  /** aof-use-rdb-preamble; without it the base is commands. */
  readonly usesSnapshot: boolean;
  /** aof-timestamp-enabled, for a base of commands. */
  readonly timestamps: boolean;
  /** Superseded files stay, to go back to. */
  readonly keepsHistory: boolean;
  readonly compression: boolean;
  readonly checksum: boolean;
  readonly syncsOften: boolean;
}

export class AofRewrite {
  readonly startMs: number;
  private readonly directory: AofDirectory;
  private readonly services: RewriteServices;
  private readonly options: RewriteOptions;
  private readonly base: AofFile;
  private readonly increment: AofFile;
  private readonly incrementPath: string;
  /** Where the snapshot lies before it becomes commands. */
  private readonly snapshotPath: string;
  /** Files that the new base supersedes. */
  private readonly superseded: readonly AofFile[];
  private snapshot: BackgroundSnapshot | undefined;
  private isGivenUp: boolean;

  /** Nothing else may be writing a snapshot. `services.ended` is called once after `begin`, unless it is given up. */
  constructor(directory: AofDirectory, services: RewriteServices, options: RewriteOptions) {
    this.startMs = services.clock.monotonicMs();
    this.directory = directory;
    this.services = services;
    this.options = options;
    this.base = directory.nextBase(options.usesSnapshot);
    this.increment = directory.nextIncrement();
    this.incrementPath = options.isFresh ? directory.temporaryPath("incr") : directory.pathOf(this.increment);
    this.snapshotPath = directory.temporaryPath("rdb");
    this.superseded = directory.liveFiles();
    this.snapshot = undefined;
    this.isGivenUp = false;
  }

  /** Its snapshot is being taken: no other can be. */
  get isTaking(): boolean {
    return this.snapshot !== undefined;
  }

  /** The log goes on into an increment of this rewrite's. */
  get hasIncrement(): boolean {
    return this.options.hasIncrement;
  }

  progress(): { seconds: number; writtenKeys: number; keys: number } | undefined {
    return this.snapshot?.progress();
  }

  /** Gives up: the log goes on into the increment where it is now. */
  abort(): void {
    if (this.isGivenUp) return;
    this.isGivenUp = true;
    this.snapshot?.abort();
  }

  private run(chores: readonly Chore[], next: () => void): void {
    this.services.runChores(chores, (error) => {
      if (this.isGivenUp) return;
      if (error === undefined) next();
      else this.fail(error);
    });
  }

  private fail(error: Error): void {
    this.isGivenUp = true;
    this.services.ended(error);
  }

  /** Step 1. */
  begin(): void {
    const { directory, increment } = this;
    if (!this.options.hasIncrement) {
      this.run([], () => this.turnOver());
      return;
    }
    const made: Chore[] = [{ step: "write", path: this.incrementPath, bytes: new Uint8Array(0) }];
    if (this.options.isFresh) {
      this.run(made, () => this.turnOver());
      return;
    }
    const { base, increments, history } = directory.manifest;
    const manifest: AofManifest = { base, increments: [...increments, increment], history };
    this.run([...made, ...directory.manifestChores(manifest)], () => {
      directory.manifest = manifest;
      this.services.log("notice", `Creating AOF incr file ${increment.name} on background rewrite`);
      this.turnOver();
    });
  }

  /** Step 2. */
  private turnOver(): void {
    const { directory, services, options, base } = this;
    try {
      const offset = services.rotate(options.hasIncrement ? this.incrementPath : undefined);
      this.snapshot = new BackgroundSnapshot(
        services.keyspace,
        services,
        {
          directory: directory.path,
          temporaryPath: directory.temporaryPath("base"),
          finalPath: options.usesSnapshot ? directory.pathOf(base) : this.snapshotPath,
          compression: options.compression,
          checksum: options.checksum,
          syncsOften: options.syncsOften,
        },
        services.describe(offset),
        (end) => this.nameFiles(end),
      );
    } catch (error) {
      this.fail(error as Error);
    }
  }

  /** Between step 3 and 4: the snapshot becomes a base of commands. */
  private commandChores(): Chore[] {
    const { directory, services, base, options } = this;
    const timestampSeconds = Math.floor(services.clock.nowMs() / 1000);
    return [
      {
        step: "toCommands",
        path: this.snapshotPath,
        to: directory.pathOf(base),
        ...(options.timestamps ? { timestampSeconds } : {}),
      },
      { step: "syncDirectory", path: directory.path },
      { step: "remove", path: this.snapshotPath },
    ];
  }

  /** Step 4; step 3 has been done by the snapshot's job. */
  private nameFiles(end: SnapshotEnd): void {
    this.snapshot = undefined;
    if ("error" in end) {
      this.fail(end.error);
      return;
    }
    const { directory, base, increment, options } = this;
    const chores: Chore[] = options.usesSnapshot ? [] : this.commandChores();
    if (options.isFresh && options.hasIncrement) {
      chores.push({ step: "rename", path: this.incrementPath, to: directory.pathOf(increment) });
      chores.push({ step: "syncDirectory", path: directory.path });
    }
    const superseded = this.superseded.map((file): AofFile => ({ ...file, type: "h" }));
    const history = options.keepsHistory ? [...directory.history, ...superseded] : directory.history;
    if (history !== directory.history) chores.push(...directory.historyChores(history));
    const manifest: AofManifest = {
      base,
      increments: options.hasIncrement ? [increment] : [],
      history: options.keepsHistory ? directory.manifest.history : [...directory.manifest.history, ...superseded],
    };
    chores.push(...directory.manifestChores(manifest));
    this.run(chores, () => {
      directory.manifest = manifest;
      directory.history = history;
      this.isGivenUp = true;
      this.services.ended(undefined);
    });
  }
}
