import { type FileState, isDone } from './state.js';
import { bar, clip, pad } from './text.js';

export interface TerminalSize {
  columns: number;
  rows: number;
}

const LONGEST_BAR = 40;
const LABEL = 10;
const NOTE = 16;

/**
 * The live part of the terminal: lines that never wrap and never fill the screen. Files that are
 * done are left out (what they came to stands above). When all bars do not clip, one line per file;
 * when those do not fit either, the first of them and a count.
 */
export function renderBars(files: readonly FileState[], size: TerminalSize): string[] {
  const columns = Math.max(1, size.columns - 1);
  const room = Math.max(1, size.rows - 2);
  const open = files.filter((file) => !isDone(file));
  const full = open.flatMap((file) => fileBlock(file, columns));
  if (full.length <= room) return full;
  const short = open.map((file) => summaryLine(file, columns));
  if (short.length <= room) return short;
  const shown = short.slice(0, room - 1);
  return [...shown, clip(`… and ${short.length - shown.length} more`, columns)];
}

function fileBlock(file: FileState, columns: number): string[] {
  return [
    clip(file.name, columns),
    row('upload', uploaded(file), `${Math.floor(uploaded(file) * 100)} %`, columns),
    ...file.renditions.map((rendition) => {
      const { segments_completed: done, segments_total: total } = rendition;
      return row(rendition.name, total ? done / total : 0, `${done}/${total ?? '?'}`, columns);
    }),
    row('job', file.percent / 100, `${Math.floor(file.percent)} % ${file.stage ?? 'waiting'}`, columns),
  ];
}

function row(label: string, fraction: number, note: string, columns: number): string {
  const room = columns - LABEL - NOTE - 3;
  // A narrow terminal keeps the numbers and gives up the picture.
  if (room < 4) return clip(`  ${pad(label, LABEL - 2)}${note}`, columns);
  return clip(`  ${pad(label, LABEL)}${bar(fraction, Math.min(LONGEST_BAR, room))} ${note}`, columns);
}

function summaryLine(file: FileState, columns: number): string {
  const stage = file.bytesSent < file.bytesTotal && file.percent === 0 ? uploaded(file) : file.percent / 100;
  const note = ` ${String(Math.floor(stage * 100)).padStart(3)} %`;
  const width = Math.min(20, Math.max(0, columns - 40));
  const picture = width < 4 ? '' : ` ${bar(stage, width)}`;
  const name = pad(file.name, Math.max(4, columns - picture.length - note.length));
  return clip(name + picture + note, columns);
}

const uploaded = (file: FileState) => (file.bytesTotal === 0 ? 0 : file.bytesSent / file.bytesTotal);

/** The same for a log: one line. */
export function plainLine(file: FileState): string {
  const renditions = file.renditions.map(
    (rendition) => `${rendition.name} ${rendition.segments_completed}/${rendition.segments_total ?? '?'}`,
  );
  const parts = [
    `upload ${Math.floor(uploaded(file) * 100)} %`,
    `job ${Math.floor(file.percent)} % ${file.stage ?? 'waiting'}`,
    ...renditions,
  ];
  return `${file.name}: ${parts.join(', ')}`;
}
