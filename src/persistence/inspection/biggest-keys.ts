/** BiggestKeys: the N keys for which a number is greatest, kept while all of them pass by. */

export interface BigKey {
  readonly database: number;
  readonly key: Uint8Array;
  readonly type: string;
  readonly encoding: string;
  readonly elements: number;
  /** In the file, with its name and expiry. */
  readonly bytes: number;
  /** Of name and elements, uncompressed. */
  readonly dataBytes: number;
  /** In Everkey's memory, 0 when it is not measured. */
  readonly memoryBytes: number;
  /** Ms since 1970, -1: never. */
  readonly expireAtMs: number;
}

export class BiggestKeys {
  /** What a key must be above to be kept. */
  threshold: number;
  private readonly countMax: number;
  /** Descending by measure. */
  private readonly kept: { measure: number; key: BigKey }[];

  constructor(countMax: number) {
    this.countMax = countMax;
    this.kept = [];
    this.threshold = countMax > 0 ? -1 : Number.POSITIVE_INFINITY;
  }

  /** To be called when `measure` is above the threshold: making `key` costs something. */
  add(measure: number, key: BigKey): void {
    const { kept } = this;
    let at = kept.length;
    while (at > 0 && kept[at - 1]!.measure < measure) at--;
    kept.splice(at, 0, { measure, key });
    if (kept.length > this.countMax) kept.pop();
    if (kept.length === this.countMax) this.threshold = kept.at(-1)!.measure;
  }

  /** Greatest first. */
  keys(): BigKey[] {
    return this.kept.map(({ key }) => key);
  }
}
