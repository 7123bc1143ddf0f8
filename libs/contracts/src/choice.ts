import { SluiceError } from './errors.js';
import { QUALITIES, type Quality } from './media.js';

/** What of the usual outputs an upload wants; read from `options`. */
export interface OutputChoice {
  /** Null: the whole ladder. Top first, none twice. */
  renditions: Quality[] | null;
  audio: (typeof AUDIO_CHOICES)[number];
  subtitles: boolean;
  /** Null: as the deployment has it. */
  downloads: DownloadChoice | null;
  /** Segments of MPEG-TS beside CMAF (S0-11). Null: as the deployment has it. */
  ts: boolean | null;
}

/** Renditions that can be downloaded as an MP4: those that are named, by the rule for `renditions`. */
export type DownloadChoice = (typeof DOWNLOAD_WORDS)[number] | Quality[];

const AUDIO_CHOICES = ['all', 'default', 'none'] as const;
const DOWNLOAD_WORDS = ['none', 'top', 'all'] as const;
export const WHOLE_CHOICE: OutputChoice = {
  renditions: null,
  audio: 'all',
  subtitles: true,
  downloads: null,
  ts: null,
};

/** Throws `invalid_options`. Values may be text, as forms and tus metadata have them; other options are not ours. */
export function readChoice(options: Record<string, unknown>): OutputChoice {
  return {
    renditions: readRenditions(options.renditions),
    audio: readAudio(options.audio),
    subtitles: readFlag('subtitles', options.subtitles) ?? true,
    downloads: readDownloads(options.downloads),
    ts: readFlag('ts', options.ts),
  };
}

function readRenditions(value: unknown): Quality[] | null {
  if (value === undefined || value === null) return null;
  const found = qualitiesIn(value);
  if (found === null) throw invalid(`options.renditions must name some of ${QUALITIES.join(', ')}.`);
  return found;
}

/** Also of the setting `DOWNLOADS`. */
export function readDownloads(value: unknown): DownloadChoice | null {
  if (value === undefined || value === null) return null;
  const found = DOWNLOAD_WORDS.find((word) => word === value) ?? qualitiesIn(value);
  if (found === null)
    throw invalid(
      `options.downloads must be ${DOWNLOAD_WORDS.join(', ')} or some of ${QUALITIES.join(', ')}.`,
    );
  return found;
}

/** A list, or text with commas; top first, none twice. Null: not that. */
function qualitiesIn(value: unknown): Quality[] | null {
  const names: unknown[] = typeof value === 'string' ? value.split(',').map((name) => name.trim()) : [];
  const asked = Array.isArray(value) ? value : names;
  const known: readonly unknown[] = QUALITIES;
  if (asked.length === 0 || asked.length > QUALITIES.length || !asked.every((name) => known.includes(name)))
    return null;
  return QUALITIES.filter((name) => asked.includes(name));
}

function readAudio(value: unknown): OutputChoice['audio'] {
  const choice = AUDIO_CHOICES.find((one) => one === (value ?? 'all'));
  if (choice) return choice;
  throw invalid(`options.audio must be one of ${AUDIO_CHOICES.join(', ')}.`);
}

function readFlag(name: string, value: unknown): boolean | null {
  if (value === undefined || value === null) return null;
  if (value === true || value === 'true') return true;
  if (value === false || value === 'false') return false;
  throw invalid(`options.${name} must be true or false.`);
}

const invalid = (message: string) => new SluiceError('invalid_options', message);

/**
 * The profile of sessions and assets: a profile's name, and what of its outputs is wanted where that is not
 * all of them. The same file with another choice is another asset (S3-08).
 */
export function profileKey(profile: string, choice: OutputChoice): string {
  const { renditions, audio, subtitles, downloads, ts } = choice;
  return [
    profile,
    ...(renditions === null || renditions.length === QUALITIES.length ? [] : [`renditions=${renditions}`]),
    ...(audio === 'all' ? [] : [`audio=${audio}`]),
    ...(subtitles ? [] : ['subtitles=false']),
    ...(downloads === null ? [] : [`downloads=${downloads}`]),
    ...(ts === null ? [] : [`ts=${ts}`]),
  ].join(';');
}

/** What {@link profileKey} was made of. */
export function readProfileKey(key: string): { profile: string; choice: OutputChoice } {
  const [profile = '', ...parts] = key.split(';');
  const said = parts.map((part) => part.split('=', 2) as [string, string]);
  return { profile, choice: readChoice(Object.fromEntries(said)) };
}
