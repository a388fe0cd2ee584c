/**
 * INFO: the server's state as lines of text in sections.
 *
 *      # Server\r\n  redis_version:7.2.4\r\n ...  \r\n  # Clients\r\n ...        an empty line between two sections
 *
 *  I1  Sections come in the order of SECTIONS, each at most once, whatever was asked for.
 *  I2  A section without fields is its title alone.
 *  Source: output of redis-server 7.0; the fields that 7.2 added as its documentation lists them.
 */

import type { Server } from "../server.ts";
import { everkeyFields } from "./everkey.ts";
import { clientFields, clusterFields, cpuFields, keyspaceFields, replicationFields, serverFields } from "./general.ts";
import { memoryFields } from "./memory.ts";
import { persistenceFields } from "./persistence.ts";
import type { InfoSection } from "./section.ts";
import { commandFields, errorFields, latencyFields, statisticsFields } from "./statistics.ts";

const SECTIONS: readonly InfoSection[] = [
  { title: "Server", isDefault: true, fields: serverFields },
  { title: "Clients", isDefault: true, fields: clientFields },
  { title: "Memory", isDefault: true, fields: memoryFields },
  { title: "Persistence", isDefault: true, fields: persistenceFields },
  { title: "Stats", isDefault: true, fields: statisticsFields },
  { title: "Replication", isDefault: true, fields: replicationFields },
  { title: "CPU", isDefault: true, fields: cpuFields },
  { title: "Modules", isDefault: true, fields: () => [] },
  { title: "Commandstats", isDefault: false, fields: commandFields },
  { title: "Errorstats", isDefault: true, fields: errorFields },
  { title: "Latencystats", isDefault: false, fields: latencyFields },
  { title: "Cluster", isDefault: true, fields: clusterFields },
  { title: "Keyspace", isDefault: true, fields: keyspaceFields },
  { title: "Everkey", isDefault: true, fields: everkeyFields },
];

/** The sections with the given lower-case names ("default", "all" and "everything" stand for several), as text. */
export function infoText(server: Server, names: readonly string[]): string {
  const wanted = new Set(names.length === 0 ? ["default"] : names);
  const isWhole = wanted.has("all") || wanted.has("everything");
  const texts: string[] = [];
  for (const { title, isDefault, fields } of SECTIONS) {
    const isWanted = isWhole || (isDefault && wanted.has("default")) || wanted.has(title.toLowerCase());
    if (!isWanted) continue;
    const lines = fields(server).map(([name, value]) => `${name}:${value}\r\n`);
    texts.push(`# ${title}\r\n${lines.join("")}`);
  }
  return texts.join("\r\n");
}
