/**
 * CommandBase: an RDB file becomes the base of commands that `aof-use-rdb-preamble no` asks for.
 *
 *      snapshot ─► temporary RDB file ─► RdbReader ─► CommandWriter ─► file of commands
 *                  first pass                  second pass: step() until the slice is used up
 *
 *  I1  The base begins with its position (`#EK:… at …`) when the RDB file says which state it is.
 *  I2  Memory does not grow with the data set, nor with a value (see CommandWriter).
 *  I3  What has no commands (modules' data, fields that expire) is an RdbFault: nothing is left out silently. Only collections
 *      without elements are, as everywhere.
 *
 * Two passes instead of one, because a chunk of a snapshot may end in the middle of a value: a reader that could be stopped
 * there and be continued would be a second implementation of every type's decoding, while the file in between costs its
 * size on the disk and a sequential read. Whoever has the whole RDB as a file already needs one pass.
 *
 * Source: files that redis-server 7.0 wrote with aof-use-rdb-preamble no.
 */

import { ANNOTATION_BYTES_MAX, writePosition, writeTimestamp } from "./aof-annotations.ts";
import { type ByteSink, CommandWriter } from "./command-writer.ts";
import { TYPE_STRING } from "./rdb-constants.ts";
import { RdbFault } from "./rdb-fault.ts";
import type { ByteSource } from "./rdb-input.ts";
import { RdbReader, RECORD_AUX, RECORD_END, RECORD_FUNCTION, RECORD_KEY, RECORD_MODULE_AUX } from "./rdb-reader.ts";

/** Keys between two looks at the clock. */
const KEYS_PER_CHECK = 16;

export interface CommandBaseOptions {
  /** Size of the RDB file. */
  readonly totalBytes: number;
  /** aof-timestamp-enabled: Redis begins the base with the time, too. Undefined: it is off. */
  readonly timestampSeconds?: number | undefined;
}

export class CommandBase {
  /** Keys written so far. */
  keyCount: number;
  private readonly reader: RdbReader;
  private readonly writer: CommandWriter;
  private readonly timestampSeconds: number | undefined;
  private readonly auxiliary: Map<string, string>;
  private isBegun: boolean;

  constructor(source: ByteSource, sink: ByteSink, options: CommandBaseOptions) {
    this.reader = new RdbReader(source, { totalBytes: options.totalBytes, verifyChecksum: true });
    this.writer = new CommandWriter(sink);
    this.timestampSeconds = options.timestampSeconds;
    this.keyCount = 0;
    this.auxiliary = new Map();
    this.isBegun = false;
  }

  /** Bytes of the RDB file that have been used. */
  readBytes(): number {
    return this.reader.offset();
  }

  /** Bytes that the sink has got. */
  writtenBytes(): number {
    return this.writer.writtenBytes;
  }

  /** Goes on until `isOver` or the end; true at the end. Throws RdbFault, and what source and sink throw. */
  step(isOver: () => boolean): boolean {
    const { reader } = this;
    if (reader.version === 0) reader.readHeader();
    for (let count = 1; ; count++) {
      const kind = reader.next();
      if (kind === RECORD_AUX) this.auxiliary.set(reader.auxName, reader.auxValue);
      else if (!this.isBegun) this.writeBeginning();
      if (kind === RECORD_KEY) this.writeKey();
      else if (kind === RECORD_FUNCTION) this.writeLibrary();
      else if (kind === RECORD_MODULE_AUX) throw new RdbFault(reader.offset(), "record", "module data has no commands");
      else if (kind === RECORD_END) {
        this.writer.flush();
        return true;
      }
      if (count % KEYS_PER_CHECK === 0 && isOver()) return false;
    }
  }

  private writeBeginning(): void {
    this.isBegun = true;
    const line = new Uint8Array(ANNOTATION_BYTES_MAX);
    const replicationId = this.auxiliary.get("repl-id");
    const offset = Number(this.auxiliary.get("repl-offset"));
    const timeMs = Number(this.auxiliary.get("everkey-ms"));
    if (replicationId?.length === 40 && Number.isSafeInteger(offset) && Number.isSafeInteger(timeMs)) {
      this.writer.raw(line, 0, writePosition(line, 0, timeMs, replicationId, offset));
    }
    if (this.timestampSeconds !== undefined) this.writer.raw(line, 0, writeTimestamp(line, 0, this.timestampSeconds));
  }

  private writeLibrary(): void {
    const { reader } = this;
    this.writer.library(reader.stringBytes, reader.stringStart, reader.stringLength);
  }

  private writeKey(): void {
    const { reader, writer } = this;
    writer.beginKey(reader.database, reader.keyBytes, reader.keyStart, reader.keyLength);
    if (reader.type === TYPE_STRING) {
      reader.readString();
      writer.string(reader.stringBytes, reader.stringStart, reader.stringLength);
    } else {
      reader.readValue(writer);
    }
    if (writer.endKey(reader.expireAtMs)) this.keyCount++;
  }
}
