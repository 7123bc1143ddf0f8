import type { WriteStream } from 'node:tty';

const ESC = '\u001b[';
const HIDE_CURSOR = `${ESC}?25l`;
const SHOW_CURSOR = `${ESC}?25h`;
/** A terminal that knows them shows what is between at once; others ignore them. */
const BEGIN_UPDATE = `${ESC}?2026h`;
const END_UPDATE = `${ESC}?2026l`;
const CLEAR_LINE_END = `${ESC}K`;
const CLEAR_BELOW = `${ESC}J`;

/** Where we write for a person: lines that stay and, on a terminal, a live part below them. */
export interface Screen {
  readonly live: boolean;
  readonly size: { columns: number; rows: number };
  /** A line that stays. */
  readonly print: (line: string) => void;
  /** Replaces the live part; nothing where there is no terminal. */
  readonly draw: (lines: string[]) => void;
  readonly close: () => void;
}

export function openScreen(stream: NodeJS.WriteStream): Screen {
  // Whoever reads us may have gone (`npm start | head`); that must not end the services uncleanly.
  stream.on('error', () => undefined);
  return stream.isTTY ? new TerminalScreen(stream) : plainScreen(stream);
}

function plainScreen(stream: NodeJS.WriteStream): Screen {
  return {
    live: false,
    size: { columns: 80, rows: 24 },
    print: (line) => void stream.write(`${line}\n`),
    draw: () => undefined,
    close: () => undefined,
  };
}

class TerminalScreen implements Screen {
  readonly live = true;
  private drawn: string[] = [];

  constructor(private readonly stream: WriteStream) {}

  get size() {
    return { columns: this.stream.columns || 80, rows: this.stream.rows || 24 };
  }

  readonly print = (line: string): void => {
    this.update(`${line}${CLEAR_LINE_END}\n`, this.drawn);
  };

  readonly draw = (lines: string[]): void => {
    if (lines.length === this.drawn.length && lines.every((line, index) => line === this.drawn[index]))
      return;
    this.update('', lines);
  };

  readonly close = (): void => {
    this.update('', []);
    this.stream.write(SHOW_CURSOR);
  };

  /** One write: overwritten line by line, never cleared first, so that nothing flickers. */
  private update(above: string, lines: string[]): void {
    const up = this.drawn.length > 0 ? `${ESC}${this.drawn.length}A` : '';
    const body = lines.map((line) => `${line}${CLEAR_LINE_END}\n`).join('');
    const cursor = lines.length > 0 ? HIDE_CURSOR : SHOW_CURSOR;
    this.stream.write(`${BEGIN_UPDATE}${cursor}\r${up}${above}${body}${CLEAR_BELOW}${END_UPDATE}`);
    this.drawn = lines;
  }
}
