/**
 * ValueWriter: a key's value in RDB form, as version 10 has it.
 *
 *      bytes        listpack of a hash or sorted set, intset      one string, as it is in memory
 *                   listpack of a set                             its members: version 10 has no type for it
 *                   listpack of a list                            a quicklist of one node
 *      structures   hash, set: count, fields or members      sorted set: count, members with scores
 *                   list: count, nodes                       stream: count, nodes, numbers, groups
 *
 *  I1  One object reads one arena: it keeps the tables and types that were there when it was made.
 *  I2  A sorted set is written from the greatest score down when it is written at once: whoever loads it is fastest so.
 *  Source: the format's public descriptions; files written by real servers.
 */

import { RecordList } from "../../store/encodings/hash-table.ts";
import { firstEntry, isListpackEnd, Listpack, nextEntry } from "../../store/encodings/listpack.ts";
import type { Keyspace } from "../../store/keyspace/keyspace.ts";
import {
  ENCODING_INTSET,
  type Records,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STREAM,
  TYPE_ZSET,
  type ValueView,
} from "../../store/keyspace/record.ts";
import * as rdb from "../formats/rdb-constants.ts";
import type { RdbEncoder } from "../formats/rdb-encoder.ts";
import { type KeyHead, LargeSequence, LargeTable, type LargeValue, type SequenceParts } from "./large-value.ts";
import { ListParts, StreamParts } from "./sequence-parts.ts";

/** Collections of more elements, or bytes, are written part by part. */
const LARGE_SIZE = 1024;
const LARGE_BYTES = 256 * 1024;
/** Elements that are looked at to guess the bytes of a value. */
const SAMPLES = 8;

export class ValueWriter implements ValueView {
  valueBytes: Uint8Array;
  valueStart: number;
  valueLength: number;
  private readonly records: Records;
  private readonly keyspace: Pick<
    Keyspace,
    "fields" | "members" | "scored" | "tables" | "hashes" | "sets" | "sortedSets" | "lists" | "streams" | "structures"
  >;
  private readonly listpack: Listpack;
  private readonly chain: RecordList;

  constructor(keyspace: Keyspace) {
    const { records, fields, members, scored, tables, hashes, sets, sortedSets, lists, streams, structures } = keyspace;
    this.records = records;
    this.keyspace = { fields, members, scored, tables, hashes, sets, sortedSets, lists, streams, structures };
    this.listpack = new Listpack();
    this.chain = new RecordList();
    this.valueBytes = new Uint8Array(0);
    this.valueStart = 0;
    this.valueLength = 0;
  }

  /** The number by which an RDB file calls the form in which `write` writes this value. */
  rdbType(record: number): number {
    const { records } = this;
    const isStructure = records.isStructure(record);
    switch (records.type(record)) {
      case TYPE_HASH:
        return isStructure ? rdb.TYPE_HASH : rdb.TYPE_HASH_LISTPACK;
      case TYPE_SET:
        return records.encoding(record) === ENCODING_INTSET ? rdb.TYPE_SET_INTSET : rdb.TYPE_SET;
      case TYPE_ZSET:
        return isStructure ? rdb.TYPE_ZSET_BINARY : rdb.TYPE_ZSET_LISTPACK;
      case TYPE_LIST:
        return rdb.TYPE_LIST_QUICKLIST_2;
      case TYPE_STREAM:
        return rdb.TYPE_STREAM_2;
      default:
        return rdb.TYPE_STRING;
    }
  }

  /** Writes the whole value. hot path */
  write(encoder: RdbEncoder, record: number): void {
    const { records } = this;
    const type = records.type(record);
    if (records.isStructure(record)) {
      this.writeStructure(encoder, type, records.externalAddress(record));
      return;
    }
    records.readValue(record, this);
    if (type === TYPE_LIST) this.writePackedList(encoder);
    else if (type === TYPE_SET && records.encoding(record) !== ENCODING_INTSET) this.writePackedSet(encoder);
    else encoder.string(this.valueBytes, this.valueStart, this.valueLength);
  }

  private writePackedList(encoder: RdbEncoder): void {
    encoder.length(1);
    encoder.length(rdb.NODE_PACKED);
    encoder.string(this.valueBytes, this.valueStart, this.valueLength);
  }

  private writePackedSet(encoder: RdbEncoder): void {
    const { listpack, valueBytes: blob } = this;
    let count = 0;
    const first = firstEntry(this.valueStart);
    for (let at = first; !isListpackEnd(blob, at); at = nextEntry(blob, at)) count++;
    encoder.length(count);
    for (let at = first; !isListpackEnd(blob, at); at = nextEntry(blob, at)) {
      listpack.read(blob, at);
      encoder.string(listpack.valueBytes, listpack.valueStart, listpack.valueLength);
    }
  }

  private writeStructure(encoder: RdbEncoder, type: number, root: number): void {
    const { keyspace } = this;
    switch (type) {
      case TYPE_HASH:
        this.writeTable(encoder, keyspace.fields, root, this.writeField);
        return;
      case TYPE_SET:
        this.writeTable(encoder, keyspace.members, root, this.writeMember);
        return;
      case TYPE_ZSET:
        this.writeSortedSet(encoder, root);
        return;
      default:
        this.writeSequence(encoder, type, root);
    }
  }

  private writeTable(
    encoder: RdbEncoder,
    tables: Keyspace["fields"],
    table: number,
    writeEntry: (encoder: RdbEncoder, entry: number) => void,
  ): void {
    encoder.length(tables.count(table));
    const buckets = tables.bucketCount(table);
    for (let bucket = 0; bucket < buckets; bucket++) {
      const count = tables.readChain(tables.bucketAt(table, bucket), this.chain);
      for (let index = 0; index < count; index++) writeEntry(encoder, this.chain.records[index]!);
    }
  }

  private writeSortedSet(encoder: RdbEncoder, root: number): void {
    const { sortedSets } = this.keyspace;
    encoder.length(sortedSets.size(root));
    for (let entry = sortedSets.lastEntry(root); entry !== 0; entry = sortedSets.previousEntry()) {
      this.writeScored(encoder, entry);
    }
  }

  private writeSequence(encoder: RdbEncoder, type: number, root: number): void {
    const parts = this.partsOf(type, root);
    const { nodes } = parts;
    encoder.length(nodes.length);
    for (let index = 0; index < nodes.length; index++) {
      parts.view(nodes[index]!);
      parts.write(encoder, index, parts.valueBytes, parts.valueStart, parts.valueLength);
    }
    parts.end(encoder);
  }

  // ---- large values -------------------------------------------------------------------------------------------------

  /** Whether the value should be written part by part. */
  isLarge(record: number): boolean {
    const { records } = this;
    if (!records.isStructure(record)) return false;
    const root = records.externalAddress(record);
    const structure = this.keyspace.structures[records.type(record)]!;
    return structure.size(root) > LARGE_SIZE || structure.cellBytes(root, SAMPLES) > LARGE_BYTES;
  }

  /** The value of a record for which `isLarge` holds. */
  large(head: KeyHead, record: number): LargeValue {
    const { keyspace, records } = this;
    const type = records.type(record);
    const root = records.externalAddress(record);
    switch (type) {
      case TYPE_HASH:
        return new LargeTable(head, keyspace.fields, root, this.writeField);
      case TYPE_SET:
        return new LargeTable(head, keyspace.members, root, this.writeMember);
      case TYPE_ZSET:
        return new LargeTable(head, keyspace.scored, keyspace.sortedSets.tableOf(root), this.writeScored);
      default:
        return new LargeSequence(head, keyspace.tables, root, this.partsOf(type, root));
    }
  }

  private partsOf(type: number, root: number): SequenceParts {
    const { lists, streams } = this.keyspace;
    return type === TYPE_LIST ? new ListParts(lists, root) : new StreamParts(streams, root);
  }

  // ---- entries --------------------------------------------------------------------------------------------------------

  private readonly writeField = (encoder: RdbEncoder, entry: number): void => {
    const { hashes } = this.keyspace;
    hashes.readField(entry);
    encoder.string(hashes.valueBytes, hashes.valueStart, hashes.valueLength);
    hashes.readFieldValue(entry);
    encoder.string(hashes.valueBytes, hashes.valueStart, hashes.valueLength);
  };

  private readonly writeMember = (encoder: RdbEncoder, entry: number): void => {
    const { sets } = this.keyspace;
    sets.readMember(entry);
    encoder.string(sets.valueBytes, sets.valueStart, sets.valueLength);
  };

  private readonly writeScored = (encoder: RdbEncoder, entry: number): void => {
    const { sortedSets } = this.keyspace;
    sortedSets.readMember(entry);
    encoder.string(sortedSets.valueBytes, sortedSets.valueStart, sortedSets.valueLength);
    encoder.float64(sortedSets.score(entry));
  };
}
