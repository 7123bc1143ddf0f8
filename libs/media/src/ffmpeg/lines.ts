import { StringDecoder } from 'node:string_decoder';

/** A tag of a hostile file may be one line of any length; what is longer than this is cut. */
const LONGEST_LINE = 64 * 1024;

/** Bytes to lines, with at most one line in memory. */
export class LineReader {
  private readonly decoder = new StringDecoder('utf8');
  private pending = '';

  constructor(private readonly onLine: (line: string) => void) {}

  add(bytes: Buffer): void {
    const parts = this.decoder.write(bytes).split('\n');
    const last = parts.pop() as string;
    for (const part of parts) {
      this.keep(part);
      this.emit();
    }
    this.keep(last);
  }

  /** The last line may lack its end. */
  end(): void {
    this.keep(this.decoder.end());
    if (this.pending !== '') this.emit();
  }

  private keep(part: string): void {
    if (this.pending.length < LONGEST_LINE) {
      this.pending = (this.pending + part).slice(0, LONGEST_LINE);
    }
  }

  private emit(): void {
    const line = this.pending;
    this.pending = '';
    this.onLine(line.endsWith('\r') ? line.slice(0, -1) : line);
  }
}
