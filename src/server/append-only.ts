/**
 * The append-only file in its server: what it is made of, how the start loads it, what the configuration says to it.
 *
 *      appendonly yes    only the append-only file is loaded, whether or not there is a snapshot: it is the newer truth
 *      appendonly no     only the snapshot
 *
 *  Source: loading rules and directives of Redis 7.2; the history is our own.
 */

import { DiskFault } from "../core/faults.ts";
import { AofFault } from "../history/formats/aof-fault.ts";
import { ManifestFault } from "../history/formats/aof-manifest.ts";
import { AofLoader, AofLoadFault } from "../persistence/append-only/aof-loader.ts";
import { AppendOnly } from "../persistence/append-only/append-only.ts";
import type { SyncPolicy } from "../persistence/append-only/append-only-file.ts";
import { ReplyError } from "../protocol/errors.ts";
import type { RecordedClients } from "../session/recorder.ts";
import { Replayer } from "../session/replayer.ts";
import { parseDurationMs } from "./config/directives-history.ts";
import { hexadecimal, type Server } from "./server.ts";

/** What the composition root asks for while it makes the parts. */
export function makeAppendOnly(server: Server): AppendOnly {
  const { host, config, log, snapshots, context, session, keyspace } = server;
  return new AppendOnly(
    {
      keyspace,
      commandLog: context.log,
      gate: session.gate,
      clock: host.clock,
      disk: host.disk,
      background: host.background,
      log: (level, text) => log.write(level, text),
      describe: () => snapshots.describe(),
      isSaving: () => snapshots.isRunning(),
      onFault: () => server.updateMisconfiguration(),
      newReplicationId: () => hexadecimal(host, 20),
    },
    {
      dataDirectory: config.utf8("dir"),
      directoryName: config.utf8("appenddirname"),
      fileName: config.utf8("appendfilename"),
    },
    {
      isEnabled: config.boolean("appendonly"),
      policy: "everysec",
      restsDuringRewrite: false,
      marksTimes: false,
      timestamps: false,
      usesSnapshot: true,
      loadsTruncated: true,
      rewritePercentage: 100,
      rewriteBytesMin: 0,
      removesNothing: false,
      compression: true,
      checksum: true,
      syncsOften: true,
      historyKeepMs: 0,
      historyKeepBytes: 0,
    },
  );
}

/** Loads what the append-only file holds and goes on with it. Rejects with a fault that `aofFailureText` explains. */
export async function loadAppendOnly(server: Server): Promise<void> {
  const { appendOnly, host, log, snapshots, context, dispatcher, session, keyspace } = server;
  const loader = new AofLoader(
    appendOnly.directory,
    {
      clock: host.clock,
      disk: host.disk,
      log: (level, text) => log.write(level, text),
      commandLog: context.log,
      replayer: new Replayer(dispatcher, session.scripting),
      loadSnapshot: async (path, onAuxiliary) => {
        keyspace.isReplaying = true;
        try {
          return await snapshots.loadBase(path, onAuxiliary);
        } finally {
          keyspace.isReplaying = false;
        }
      },
      onProgress: (progress) => {
        snapshots.loading = progress;
      },
    },
    appendOnly.settings.loadsTruncated,
  );
  if (!(await loader.load())) warnOfSnapshot(server);
  appendOnly.openAtStart(loader.isPlaced);
}

/** The rule is Redis's, and so is the trap: who turns the append-only file on in the configuration starts empty. */
function warnOfSnapshot({ host, log, snapshots }: Server): void {
  const path = snapshots.filePath();
  const status = host.disk.status(path);
  if (status === undefined) return;
  snapshots.isUnloaded = true;
  const lines = [
    "!!! THE SERVER STARTS EMPTY, ALTHOUGH THERE IS A SNAPSHOT !!!",
    `appendonly is "yes" and there is no append-only file: then nothing else is loaded. ${path} (${status.bytes} bytes) was NOT loaded, and is kept: the first save gives it another name.`,
    `To have its data: stop this server now (SHUTDOWN NOSAVE), start with --appendonly no, and turn the append-only file on while it runs: CONFIG SET appendonly yes, then CONFIG REWRITE.`,
  ];
  for (const line of lines) log.write("warning", line);
}

/** Why the append-only file ends the start, and what to do. */
export function aofFailureText(error: unknown, server: Server): string | undefined {
  const { directory } = server.appendOnly;
  if (error instanceof ManifestFault) {
    return `${directory.manifestPath} cannot be used: ${error.message}${error.lineNumber > 0 ? ` (line ${error.lineNumber}: ${error.line})` : ""}. Nothing was changed. It lists the files to load, in their order: correct it, or see what is there with: everkey check ${directory.path}`;
  }
  if (error instanceof AofLoadFault) return `${error.message} (${error.path})`;
  if (error instanceof AofFault) return error.message;
  if (error instanceof DiskFault && error.path.startsWith(directory.path)) {
    return `The append-only file cannot be read: ${error.message}. Nothing was changed. See to its permissions and the disk, then start again.`;
  }
  return undefined;
}

/** The error of writes while the append-only file's disk fails, in Redis's words. */
export function aofRefusal({ appendOnly }: Server): ReplyError | undefined {
  const { fault } = appendOnly.file;
  return fault === undefined ? undefined : new ReplyError(`MISCONF Errors writing to the AOF file: ${fault.reason}`);
}

export function wireAppendOnly(server: Server): void {
  const { config, appendOnly, context, dispatcher } = server;
  const { settings } = appendOnly;
  config.apply("appendonly", () => {
    const isWanted = config.boolean("appendonly");
    if (isWanted === settings.isEnabled) return undefined;
    try {
      if (isWanted) appendOnly.enable();
      else appendOnly.disable();
      return undefined;
    } catch (error) {
      server.log.write("warning", `The append-only file cannot be turned on: ${(error as Error).message}`);
      settings.isEnabled = false;
      return "Unable to turn on AOF. Check server logs.";
    }
  });
  config.onChange("dir", () => appendOnly.move(config.utf8("dir")));
  config.followText("appendfsync", (policy) => {
    settings.policy = policy as SyncPolicy;
  });
  config.followBoolean("no-appendfsync-on-rewrite", (isOn) => {
    settings.restsDuringRewrite = isOn;
  });
  config.followBoolean("aof-timestamp-enabled", (isOn) => {
    settings.timestamps = isOn;
  });
  config.followBoolean("aof-use-rdb-preamble", (isOn) => {
    settings.usesSnapshot = isOn;
  });
  config.followBoolean("aof-load-truncated", (isOn) => {
    settings.loadsTruncated = isOn;
  });
  config.followBoolean("aof-disable-auto-gc", (isOn) => {
    settings.removesNothing = isOn;
  });
  config.followBoolean("aof-rewrite-incremental-fsync", (isOn) => {
    settings.syncsOften = isOn;
  });
  config.followBoolean("rdbcompression", (isOn) => {
    settings.compression = isOn;
  });
  config.followBoolean("rdbchecksum", (isOn) => {
    settings.checksum = isOn;
  });
  config.followInteger("auto-aof-rewrite-percentage", (percent) => {
    settings.rewritePercentage = percent;
  });
  config.followInteger("auto-aof-rewrite-min-size", (bytes) => {
    settings.rewriteBytesMin = bytes;
  });
  config.followText("history-keep", (text) => {
    settings.historyKeepMs = parseDurationMs(text) ?? 0;
    settings.marksTimes = settings.historyKeepMs > 0;
  });
  config.followInteger("history-keep-size", (bytes) => {
    settings.historyKeepBytes = bytes;
  });
  config.followText("history-clients", (clients) => {
    dispatcher.recorder.recordedClients = clients as RecordedClients;
  });
  config.followBoolean("lazyfree-lazy-expire", (isOn) => {
    context.unlinksExpired = isOn;
  });
  config.followBoolean("lazyfree-lazy-eviction", (isOn) => {
    context.unlinksEvicted = isOn;
  });
}
