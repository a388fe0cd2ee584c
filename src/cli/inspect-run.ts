/** `everkey inspect`, running: reads, then prints tables, JSON or (while it reads) CSV. */

import { inspect } from "../persistence/inspection/inspection.ts";
import { MemoryMeter } from "../persistence/inspection/memory-meter.ts";
import { type Place, placeOf } from "../persistence/inspection/places.ts";
import type { PassingKey } from "../persistence/inspection/rdb-inspection.ts";
import { NodeClock } from "../server/host/node-clock.ts";
import { NodeDisk } from "../server/host/node-disk.ts";
import { NodeRandom } from "../server/host/node-random.ts";
import type { InspectWords } from "./inspect.ts";
import { CsvWriter } from "./inspect-csv.ts";
import { inspectionJson } from "./inspect-json.ts";
import { inspectionText, problemText } from "./inspect-text.ts";
import { Progress, print, printJson, runSubcommand, wrongUsage } from "./output.ts";

export function inspectCommand(path: string, words: InspectWords): Promise<void> {
  return runSubcommand(() => runInspect(path, words));
}

function runInspect(path: string, options: InspectWords): void {
  const clock = new NodeClock();
  const disk = new NodeDisk();
  const hasMemory = options.memory === true || options.by === "memory";
  const csv = options.csv === true ? new CsvWriter((bytes) => process.stdout.write(bytes)) : undefined;
  if (csv !== undefined) refuseDirectory(placeOf(disk, path));
  const progress = new Progress({ label: `Reading ${path}`, total: 0, unit: "bytes", clock });
  const nowMs = clock.nowMs();
  try {
    const inspection = inspect(disk, path, {
      nowMs,
      verifyChecksum: options.checksum,
      topCount: options.top,
      order: options.by,
      separator: csv === undefined ? Buffer.from(options.separator) : new Uint8Array(0),
      depth: options.depth,
      meter: hasMemory ? new MemoryMeter(new NodeRandom()) : undefined,
      onKey: csv === undefined ? undefined : (key: PassingKey) => csv.add(key),
      onProgress: (read, total) => progress.update(read, total),
    });
    progress.end();
    if (inspection.problems.length > 0) process.exitCode = 1;
    if (csv !== undefined) {
      csv.end();
      if (inspection.files[0]?.kind === "aof") {
        throw wrongUsage("inspect", `${path} holds commands and no keys: --csv is for RDB files`);
      }
      for (const problem of inspection.problems) process.stderr.write(`${problemText(problem)}\n`);
    } else if (options.json === true) {
      printJson(inspectionJson(inspection, { prefixesMax: options.top, hasMemory }));
    } else {
      print(
        inspectionText(inspection, {
          nowMs,
          topCount: options.top,
          hasMemory,
          separator: options.separator,
          depth: options.depth,
        }),
      );
    }
  } finally {
    progress.end();
  }
}

/** A line a key is for one file: keys of several would be mixed, and those of increments are not known without replay. */
function refuseDirectory(place: Place): void {
  if (place.kind === "file") return;
  const files = [...place.files, ...place.logs.flatMap(({ live }) => live)];
  const names = files.filter(({ path }) => path.endsWith(".rdb")).map(({ path }) => path);
  const which = names.length === 0 ? "" : `: ${names.join(" or ")}`;
  throw wrongUsage("inspect", `--csv takes one RDB file${which}`);
}
