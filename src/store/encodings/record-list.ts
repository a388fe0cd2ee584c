/** A list of record addresses that is used again and again. */
export class RecordList {
  records: Int32Array;

  constructor() {
    this.records = new Int32Array(64);
  }

  grow(): void {
    const longer = new Int32Array(this.records.length * 2);
    longer.set(this.records);
    this.records = longer;
  }
}
