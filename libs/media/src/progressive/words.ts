const BLOCK_BYTES = 256 * 1024;

/** 32-bit numbers as a sample table has them, big-endian; grows by blocks, so that nothing is copied or held twice. */
export class Words {
  private readonly blocks: Buffer[] = [];
  /** Numbers so far. */
  length = 0;

  push(value: number): void {
    const at = (this.length * 4) % BLOCK_BYTES;
    if (at === 0) this.blocks.push(Buffer.allocUnsafeSlow(BLOCK_BYTES));
    (this.blocks.at(-1) as Buffer).writeUInt32BE(value >>> 0, at);
    this.length += 1;
  }

  parts(): Buffer[] {
    const last = (this.length * 4) % BLOCK_BYTES || BLOCK_BYTES;
    return this.blocks.map((block, i) => (i + 1 < this.blocks.length ? block : block.subarray(0, last)));
  }
}

/** Values one after the other as (count, value), as stts and ctts have them. */
export class RunLengths {
  private readonly words = new Words();
  private count = 0;
  private value = 0;
  runs = 0;

  push(value: number): void {
    if (this.count > 0 && value !== this.value) this.close();
    this.value = value;
    this.count += 1;
  }

  /** Whether it says nothing but `value`. */
  isOnly(value: number): boolean {
    return this.runs + Math.sign(this.count) <= 1 && this.value === value;
  }

  parts(): Buffer[] {
    if (this.count > 0) this.close();
    return this.words.parts();
  }

  private close(): void {
    this.words.push(this.count);
    this.words.push(this.value);
    this.runs += 1;
    this.count = 0;
  }
}
