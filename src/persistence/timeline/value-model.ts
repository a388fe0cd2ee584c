/**
 * A value as it can be compared and shown: independent of the form in which it was stored.
 *
 *      payload (RDB type, body) ──► string │ items in order │ members or fields, sorted │ entries of a stream, groups
 *
 *  I1  Two values are equal exactly when their models are, whatever their encodings and the order of their buckets.
 *  I2  Bytes are kept one character per byte (latin1), so that none is lost.
 */

import { rdbTypeName, TYPE_STRING } from "../../history/formats/rdb-constants.ts";
import { RdbEncoder } from "../../history/formats/rdb-encoder.ts";
import { RdbInput } from "../../history/formats/rdb-input.ts";
import { readValue } from "../../history/formats/rdb-values.ts";
import type { StreamId, StreamSummary, ValueKind, ValueVisitor } from "../../history/formats/value-visitor.ts";
import { ValueWriter } from "../../history/snapshot/value-writer.ts";
import type { Keyspace } from "../../store/keyspace/keyspace.ts";

export type ModelKind = "string" | ValueKind;

/** One element. `value`: of a field, the score of a member, the fields of an entry as JSON pairs; "" where there is none. */
export interface ModelElement {
  readonly name: string;
  readonly value: string;
}

export interface ValueModel {
  readonly kind: ModelKind;
  /** Of a string its bytes. */
  readonly text: string;
  /** Of everything else its elements: of a list and a stream in their order, otherwise sorted by name. */
  readonly elements: readonly ModelElement[];
  /** Of a stream what stands beside its entries: numbers, groups, consumers, what is pending. */
  readonly details: string;
}

/** The value of a record as bytes: its RDB type and body. They belong to the caller. */
export function valuePayload(keyspace: Keyspace, record: number): Uint8Array {
  const writer = new ValueWriter(keyspace);
  const encoder = new RdbEncoder(256);
  encoder.byte(writer.rdbType(record));
  writer.write(encoder, record);
  const { buffer, length } = encoder.takeChunk();
  return buffer.slice(0, length);
}

/** What `valuePayload` gave, understood. */
export function modelOf(payload: Uint8Array): ValueModel {
  const input = RdbInput.fromBytes(payload, 1, payload.length);
  const type = payload[0]!;
  if (type === TYPE_STRING) {
    input.string();
    const { stringBytes, stringStart, stringLength } = input;
    return { kind: "string", text: latin1(stringBytes, stringStart, stringLength), elements: [], details: "" };
  }
  const maker = new ModelMaker();
  readValue(input, type, maker);
  return maker.model();
}

/** The type that a payload's value has: string, list, ... */
export function payloadKind(payload: Uint8Array): string {
  return rdbTypeName(payload[0]!) ?? "unknown";
}

/** Whether two payloads hold the same value (I1). */
export function isSameValue(left: Uint8Array, right: Uint8Array): boolean {
  if (Buffer.compare(left, right) === 0) return true;
  const a = modelOf(left);
  const b = modelOf(right);
  if (a.kind !== b.kind || a.text !== b.text || a.details !== b.details) return false;
  if (a.elements.length !== b.elements.length) return false;
  return a.elements.every(({ name, value }, index) => {
    const other = b.elements[index]!;
    return name === other.name && value === other.value;
  });
}

function latin1(bytes: Uint8Array, start: number, length: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, length).toString("latin1");
}

/** Lets the elements of a value become a model. */
class ModelMaker implements ValueVisitor {
  private kind: ValueKind = "list";
  private readonly elements: { name: string; value: string }[] = [];
  private readonly details: string[] = [];

  begin(kind: ValueKind): void {
    this.kind = kind;
  }

  listItem(bytes: Uint8Array, start: number, length: number): void {
    this.elements.push({ name: latin1(bytes, start, length), value: "" });
  }

  setMember(bytes: Uint8Array, start: number, length: number): void {
    this.elements.push({ name: latin1(bytes, start, length), value: "" });
  }

  hashField(
    fieldBytes: Uint8Array,
    fieldStart: number,
    fieldLength: number,
    valueBytes: Uint8Array,
    valueStart: number,
    valueLength: number,
  ): void {
    const value = latin1(valueBytes, valueStart, valueLength);
    this.elements.push({ name: latin1(fieldBytes, fieldStart, fieldLength), value });
  }

  zsetMember(bytes: Uint8Array, start: number, length: number, score: number): void {
    this.elements.push({ name: latin1(bytes, start, length), value: String(score) });
  }

  streamEntry(ms: bigint, sequence: bigint): void {
    this.elements.push({ name: `${ms}-${sequence}`, value: "" });
  }

  streamField(
    nameBytes: Uint8Array,
    nameStart: number,
    nameLength: number,
    valueBytes: Uint8Array,
    valueStart: number,
    valueLength: number,
  ): void {
    const entry = this.elements.at(-1)!;
    const field = JSON.stringify([
      latin1(nameBytes, nameStart, nameLength),
      latin1(valueBytes, valueStart, valueLength),
    ]);
    entry.value = entry.value === "" ? field : `${entry.value},${field}`;
  }

  streamEnd({ lastId, maxDeletedId, entriesAdded }: StreamSummary): void {
    this.details.push(`last ${idText(lastId)}, added ${entriesAdded}, deleted up to ${idText(maxDeletedId)}`);
  }

  streamGroup(bytes: Uint8Array, start: number, length: number, lastId: StreamId, entriesRead: bigint): void {
    this.details.push(`group ${latin1(bytes, start, length)} at ${idText(lastId)}, read ${entriesRead}`);
  }

  streamPending(ms: bigint, sequence: bigint, deliveredAtMs: number, deliveryCount: number): void {
    this.details.push(`pending ${ms}-${sequence}, delivered ${deliveryCount} times, last at ${deliveredAtMs}`);
  }

  streamConsumer(bytes: Uint8Array, start: number, length: number): void {
    this.details.push(`consumer ${latin1(bytes, start, length)}`);
  }

  streamConsumerPending(ms: bigint, sequence: bigint): void {
    this.details.push(`holds ${ms}-${sequence}`);
  }

  model(): ValueModel {
    const { kind, elements, details } = this;
    if (kind === "set" || kind === "hash" || kind === "zset") {
      elements.sort((left, right) => (left.name < right.name ? -1 : 1));
    }
    return { kind, text: "", elements, details: details.join("\n") };
  }
}

function idText({ ms, sequence }: StreamId): string {
  return `${ms}-${sequence}`;
}
