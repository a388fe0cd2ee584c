/**
 * MEMORY: what keys take, what everything takes, and whether something looks wrong.
 *
 *  I1  Bytes are those of the arena's cells: what is asked for, rounded up to the cell's size.
 *  Source: shape of the replies of redis-server 7.0; the doctor's words are ours.
 */

import { readInteger } from "../../commands/arguments.ts";
import type { CommandContext, CommandTable, KeySpec } from "../../commands/command.ts";
import { SYNTAX } from "../../protocol/errors.ts";
import { RECORD_EXPIRES } from "../../store/keyspace/record.ts";
import { type MemoryFigures, memoryFigures, tableBytesOf } from "../info/memory.ts";
import { humanBytes, ratio } from "../info/section.ts";
import type { Server } from "../server.ts";
import { helpEntry } from "./help.ts";

/** A tag and an address in a bucket. */
const SLOT_BYTES = 5;
const MEGABYTE = 1024 * 1024;

const HELP: readonly string[] = [
  "DOCTOR",
  "    Return memory problems reports.",
  "MALLOC-STATS",
  "    Return internal statistics report from the memory allocator.",
  "PURGE",
  "    Attempt to purge dirty pages for reclamation by the allocator.",
  "STATS",
  "    Return information about the memory usage of the server.",
  "USAGE <key> [SAMPLES <count>]",
  "    Return memory in bytes used by <key> and its value. Nested values are",
  "    sampled up to <count> times (default: 5, 0 means sample all).",
];

const USAGE_KEY: KeySpec = { flags: ["RO"], begin: { index: 2 }, find: { lastKey: 0, step: 1, limit: 0 } };

export function memoryCommands(server: Server): CommandTable {
  const entry = { flags: [], acl: [], group: "server", since: "4.0.0", complexity: "O(1)" } as const;
  const everyShard = ["nondeterministic_output", "request_policy:all_shards", "response_policy:special"];
  const slow = "Depends on how much memory is allocated, could be slow";
  return {
    MEMORY: {
      ...entry,
      arity: -2,
      complexity: "Depends on subcommand.",
      summary: "Tells what the memory is used for.",
      subcommands: {
        DOCTOR: {
          ...entry,
          arity: 2,
          summary: "Reports what looks wrong about the use of memory.",
          tips: everyShard,
          run: ({ reply }) => reply.verbatim(diagnosis(memoryFigures(server), server), "txt"),
        },
        HELP: helpEntry("MEMORY", "4.0.0", HELP),
        "MALLOC-STATS": {
          ...entry,
          arity: 2,
          complexity: slow,
          summary: "Returns the figures of the arena in which all data lies.",
          tips: everyShard,
          run: ({ reply }) => reply.verbatim(arenaText(server), "txt"),
        },
        PURGE: {
          ...entry,
          arity: 2,
          complexity: slow,
          summary: "Gives memory back to the system as far as that is possible.",
          tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
          run: ({ reply }) => {
            // Moves cells together from the next tick on, in slices; frames that get empty are free for any size.
            server.defragmenter.isRunning = true;
            reply.ok();
          },
        },
        STATS: {
          ...entry,
          arity: 2,
          summary: "Returns what the memory is used for, as names and numbers.",
          tips: everyShard,
          run: (context) => statistics(server, context),
        },
        USAGE: {
          ...entry,
          arity: -3,
          flags: ["readonly"],
          keys: [USAGE_KEY],
          complexity: "O(N) where N is the number of samples.",
          summary: "Returns how many bytes a key and its value take.",
          arguments: "key [SAMPLES count]",
          run: usage,
        },
      },
    },
  };
}

/** How many elements of a large value are looked at when SAMPLES does not say it. */
const SAMPLES = 5;

/** MEMORY USAGE key [SAMPLES count] */
function usage(context: CommandContext): void {
  const { request, reply, keyspace, database } = context;
  let samples = SAMPLES;
  for (let argument = 3; argument < request.count; argument += 2) {
    if (!request.is(argument, "SAMPLES") || argument + 1 >= request.count) return reply.error(SYNTAX);
    samples = readInteger(context, argument + 1);
    if (Number.isNaN(samples)) return;
    if (samples < 0) return reply.error(SYNTAX);
  }
  const record = keyspace.lookupSilently(database, request.copy(2));
  if (record === 0 || keyspace.isExpired(record)) return reply.nullBulk();
  const { arena, records } = keyspace;
  const flags = records.flags(record);
  const slotBytes = (flags & RECORD_EXPIRES) === 0 ? SLOT_BYTES : 2 * SLOT_BYTES;
  let valueBytes = 0;
  if (records.isStructure(record)) {
    valueBytes = keyspace.structures[records.type(record)]!.cellBytes(records.externalAddress(record), samples);
  } else if (flags < 0) {
    valueBytes = arena.capacity(records.externalAddress(record));
  }
  reply.integer(arena.capacity(record) + valueBytes + slotBytes);
}

/** MEMORY STATS */
function statistics(server: Server, { reply }: CommandContext): void {
  const figures = memoryFigures(server);
  const { usedBytes, peakBytes, startupBytes, overheadBytes, datasetBytes, keys } = figures;
  const { allocatedBytes, activeBytes, touchedBytes, residentBytes } = figures;
  const { keyspace } = server;
  const databases = keyspace.databases.filter((database) => keyspace.keyCount(database) > 0);
  reply.map(27 + databases.length);
  const integer = (name: string, value: number): void => {
    reply.bulkText(name);
    reply.integer(value);
  };
  const double = (name: string, value: number): void => {
    reply.bulkText(name);
    reply.double(value);
  };
  integer("peak.allocated", peakBytes);
  integer("total.allocated", usedBytes);
  integer("startup.allocated", startupBytes);
  integer("replication.backlog", 0);
  integer("clients.slaves", 0);
  integer("clients.normal", server.session.clients.memoryBytes);
  integer("cluster.links", 0);
  integer("aof.buffer", 0);
  integer("lua.caches", server.session.scripts.memoryBytes);
  integer("functions.caches", server.session.functions.memoryBytes);
  for (const database of databases) {
    reply.bulkText(`db.${database.index}`);
    reply.map(3);
    integer("overhead.hashtable.main", tableBytesOf(server, database.table));
    integer("overhead.hashtable.expires", tableBytesOf(server, database.expires));
    integer("overhead.hashtable.slot-to-keys", 0);
  }
  integer("overhead.total", overheadBytes);
  integer("keys.count", keys);
  integer("keys.bytes-per-key", keys === 0 ? 0 : Math.floor((usedBytes - startupBytes) / keys));
  integer("dataset.bytes", datasetBytes);
  double("dataset.percentage", figures.datasetPercent);
  double("peak.percentage", ratio(usedBytes, peakBytes) * 100);
  integer("allocator.allocated", allocatedBytes);
  integer("allocator.active", activeBytes);
  integer("allocator.resident", touchedBytes);
  double("allocator-fragmentation.ratio", ratio(activeBytes, allocatedBytes));
  integer("allocator-fragmentation.bytes", activeBytes - allocatedBytes);
  double("allocator-rss.ratio", ratio(touchedBytes, activeBytes));
  integer("allocator-rss.bytes", touchedBytes - activeBytes);
  double("rss-overhead.ratio", ratio(residentBytes, touchedBytes));
  integer("rss-overhead.bytes", residentBytes - touchedBytes);
  double("fragmentation", ratio(residentBytes, usedBytes));
  integer("fragmentation.bytes", residentBytes - usedBytes);
}

/** One paragraph per finding, or that there is none. */
function diagnosis(figures: MemoryFigures, server: Server): string {
  const { usedBytes, peakBytes, allocatedBytes, activeBytes, touchedBytes, residentBytes } = figures;
  if (usedBytes < 5 * MEGABYTE) {
    return `Only ${humanBytes(usedBytes)} are in use: too little to say anything. Ask again when there is more data.\n`;
  }
  const findings: string[] = [];
  if (peakBytes / usedBytes > 1.5) {
    findings.push(
      `Peak: ${humanBytes(peakBytes)} were in use at the worst time, ${humanBytes(usedBytes)} are now. The process may keep what it once took; it is used again when data comes back.`,
    );
  }
  if (activeBytes / allocatedBytes > 1.4 && activeBytes - allocatedBytes > 10 * MEGABYTE) {
    findings.push(
      `Fragmentation: ${humanBytes(activeBytes - allocatedBytes)} lie between the cells of frames that are partly used. It shrinks as new values of the same sizes fill them.`,
    );
  }
  if (touchedBytes / activeBytes > 1.5 && touchedBytes - activeBytes > 10 * MEGABYTE) {
    findings.push(
      `Free frames: ${humanBytes(touchedBytes - activeBytes)} were used once and are free now. They are taken first when memory is needed.`,
    );
  }
  const overheadBytes = residentBytes - touchedBytes;
  if (residentBytes / touchedBytes > 1.5 && overheadBytes > 200 * MEGABYTE) {
    findings.push(
      `Process: ${humanBytes(overheadBytes)} are resident besides the arena: JavaScript's heap, buffers of clients, and arenas that were flushed and wait for the garbage collector. INFO everkey shows the heap.`,
    );
  }
  const clients = server.session.clients;
  if (clients.count > 0 && clients.bufferBytes / clients.count > 200 * 1024) {
    findings.push(
      `Clients: ${clients.count} clients hold ${humanBytes(clients.bufferBytes)} of buffers. One of them probably reads more slowly than it asks: see omem in CLIENT LIST.`,
    );
  }
  if (findings.length === 0) return "Nothing looks wrong about the use of memory.\n";
  return `${findings.map((finding, index) => `${index + 1}. ${finding}`).join("\n\n")}\n`;
}

function arenaText({ keyspace }: Server): string {
  const { usedBytes, activeBytes, touchedBytes, reservedBytes } = keyspace.arena.statistics();
  const lines = [
    "Arena",
    `  cells in use        ${usedBytes} bytes`,
    `  frames in use       ${activeBytes} bytes`,
    `  touched             ${touchedBytes} bytes`,
    `  reserved            ${reservedBytes} bytes in ${keyspace.arena.bytes.length} segments`,
    `  flushed, to reclaim ${keyspace.pendingReclaims()} tables`,
    "Tables (database: keys, buckets, overflow buckets, bytes)",
  ];
  for (const database of keyspace.databases) {
    const { records, buckets, overflowBuckets, bytes } = keyspace.tables.statistics(database.table);
    if (records > 0) lines.push(`  ${database.index}: ${records}, ${buckets}, ${overflowBuckets}, ${bytes}`);
  }
  return `${lines.join("\n")}\n`;
}
