/**
 * MemoryMeter: what a key would take in Everkey's memory. It is put into a keyspace of its own, measured, and taken out.
 *
 *      value ─► builder ─► put ─► cells in use before and after ─► delete      one key at a time
 *
 *  I1  The number is that of MEMORY USAGE with SAMPLES 0, under Redis's own defaults for encodings.
 *  I2  Nothing is left behind: where something is (large values are freed in slices), the keyspace is exchanged.
 */

import type { Random } from "../../core/host.ts";
import { KeyHash } from "../../core/sip-hash.ts";
import { ValueBuilder } from "../../history/snapshot/value-builder.ts";
import { Keyspace, NO_EXPIRY } from "../../store/keyspace/keyspace.ts";

/** A tag and an address in a bucket of the table of keys, and of that of expiries. */
const SLOT_BYTES = 5;

/** A builder that takes fields that expire as if they did not: they are another server's, and no damage. */
export class LenientBuilder extends ValueBuilder {
  expiringFields = 0;

  override hashField(
    fieldBytes: Uint8Array,
    fieldStart: number,
    fieldLength: number,
    valueBytes: Uint8Array,
    valueStart: number,
    valueLength: number,
    expireAtMs: number,
  ): void {
    if (expireAtMs >= 0) this.expiringFields++;
    super.hashField(fieldBytes, fieldStart, fieldLength, valueBytes, valueStart, valueLength, -1);
  }
}

export class MemoryMeter {
  /** Takes the elements of the value that `measureValue` measures. */
  builder: LenientBuilder;
  private readonly random: Random;
  private keyspace: Keyspace;
  private emptyBytes: number;

  constructor(random: Random) {
    this.random = random;
    this.keyspace = this.newKeyspace();
    this.builder = new LenientBuilder(this.keyspace);
    this.emptyBytes = this.keyspace.arena.usedBytes;
  }

  private newKeyspace(): Keyspace {
    const keyspace = new Keyspace(new KeyHash(this.random.uint32(), this.random.uint32()), 1);
    // The tables have their first buckets before anything is measured.
    const bytes = Uint8Array.of(120);
    const record = keyspace.setString(keyspace.databases[0]!, bytes, 0, 1, bytes, 0, 1, Number.MAX_SAFE_INTEGER);
    keyspace.deleteRecord(keyspace.databases[0]!, record);
    return keyspace;
  }

  /** Bytes of a string under its key. hot path */
  measureString(
    key: Uint8Array,
    keyLength: number,
    value: Uint8Array,
    valueStart: number,
    valueLength: number,
    expireAtMs: number,
  ): number {
    const { keyspace } = this;
    const expiry = expireAtMs >= 0 ? Number.MAX_SAFE_INTEGER : NO_EXPIRY;
    const database = keyspace.databases[0]!;
    return this.measured(
      keyspace.setString(database, key, 0, keyLength, value, valueStart, valueLength, expiry),
      expiry,
    );
  }

  /** Bytes of what the builder has taken, under its key. */
  measureValue(key: Uint8Array, keyLength: number, expireAtMs: number): number {
    const { keyspace, builder } = this;
    const expiry = expireAtMs >= 0 ? Number.MAX_SAFE_INTEGER : NO_EXPIRY;
    if (builder.isEmpty()) {
      // Redis does not keep it, and nor would a load.
      builder.abandon();
      return 0;
    }
    return this.measured(builder.put(keyspace.databases[0]!, key, 0, keyLength, expiry), expiry);
  }

  private measured(record: number, expiry: number): number {
    const { keyspace } = this;
    const bytes = keyspace.arena.usedBytes - this.emptyBytes + (expiry === NO_EXPIRY ? 1 : 2) * SLOT_BYTES;
    keyspace.deleteRecord(keyspace.databases[0]!, record);
    if (keyspace.arena.usedBytes !== this.emptyBytes) this.exchange();
    return bytes;
  }

  private exchange(): void {
    this.keyspace = this.newKeyspace();
    this.builder = new LenientBuilder(this.keyspace);
    this.emptyBytes = this.keyspace.arena.usedBytes;
  }
}
