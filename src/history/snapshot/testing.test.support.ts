/** Bytes of snapshots, and back: what the tests of the stream and the loader share. */

import { sourceOf } from "../../../test/golden/collect.ts";
import { KeyHash } from "../../core/sip-hash.ts";
import { Keyspace } from "../../store/keyspace/keyspace.ts";
import { type RdbChunk, RdbEncoder } from "../formats/rdb-encoder.ts";
import { RdbFinisher } from "../formats/rdb-finisher.ts";
import { type LoadOptions, SnapshotLoader } from "./snapshot-loader.ts";
import { type SnapshotOptions, SnapshotStream } from "./snapshot-stream.ts";

const PLAIN: SnapshotOptions = { auxiliary: [["redis-ver", "7.2.4"]], access: "none" };

/** A stream whose chunks become the bytes of a file. */
export class Writing {
  readonly stream: SnapshotStream;
  private readonly finisher = new RdbFinisher({ compression: true, checksum: true });
  private readonly pieces: Uint8Array[] = [];

  constructor(keyspace: Keyspace, options: SnapshotOptions = PLAIN) {
    const encoder = new RdbEncoder();
    this.stream = new SnapshotStream(keyspace, encoder, options, (chunk: RdbChunk) => {
      this.pieces.push(this.finisher.finish(chunk.buffer, chunk.length, chunk.notes, chunk.noteCount).slice());
      // The buffer is used again: who kept a view of it shows.
      chunk.buffer.fill(0xee);
      encoder.giveBack(chunk.buffer);
    });
  }

  /** A slice that is over when it has been asked `checks` times; true at the end of the stream. */
  slice(checks: number): boolean {
    let left = checks;
    return this.stream.step(() => --left < 0);
  }

  /** The rest of it, and all bytes. */
  finish(): Buffer {
    while (!this.slice(1000));
    return Buffer.concat([...this.pieces, this.finisher.trailer()]);
  }
}

/** The file that a keyspace gives at this moment. */
export function snapshotOf(keyspace: Keyspace, options?: SnapshotOptions): Buffer {
  return new Writing(keyspace, options).finish();
}

export interface Loaded {
  readonly keyspace: Keyspace;
  readonly loader: SnapshotLoader;
}

export interface LoadSettings extends Partial<LoadOptions> {
  readonly nowMs?: number;
  readonly databases?: number;
  readonly into?: Keyspace;
  /** Called between slices. */
  readonly between?: () => void;
}

/** Loads a file into a new keyspace in slices of 64 keys. Time stands at `nowMs`, 0 by default: nothing is over. */
export function load(bytes: Uint8Array, settings: LoadSettings = {}): Loaded {
  const keyspace = settings.into ?? new Keyspace(new KeyHash(5, 6), settings.databases ?? 16);
  keyspace.nowMs = settings.nowMs ?? 0;
  keyspace.clock.setNow(keyspace.nowMs);
  const loader = new SnapshotLoader(keyspace, sourceOf(bytes), {
    totalBytes: bytes.length,
    verifyChecksum: true,
    mayReplace: false,
    ...settings,
  });
  while (!loader.step(() => true)) settings.between?.();
  return { keyspace, loader };
}
