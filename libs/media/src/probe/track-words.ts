import type { TrackRole } from '#contracts';
import type { TrackWords } from './ffprobe.js';

/** Subtitles that are text; pictures (PGS, VobSub, DVB) are none that a browser shows. */
export const TEXT_CODECS = ['mov_text', 'subrip', 'srt', 'ass', 'ssa', 'webvtt', 'text'];

const AUDIO_CODECS =
  /^(aac|mp3|mp2|opus|vorbis|e?ac3|flac|alac|amr_[nw]b|wmav2|adpcm_(ms|ima_wav|ima_qt)|pcm_(s16[lb]e|s24[lb]e|s32le|f32le|u8|alaw|mulaw))$/;

/** A track beside the default one that cannot be decoded is left out; without a default one there is no sound at all. */
export const isDecodable = (codec: string): boolean => AUDIO_CODECS.test(codec);

/** Codes of ISO 639-2 that name no language. */
const NO_LANGUAGE = ['und', 'mul', 'mis', 'zxx', 'qaa'];
const LONGEST_TITLE = 60;
/** What muxers write where nobody has named a track. */
const MUXER_TITLE =
  /^(core media|sound|subtitle|text|mainconcept|gpac|l-smash|iso media|stereo$|mono$)|handler|@/i;

interface Tagged {
  tags?: { language?: string; title?: string; handler_name?: string };
  disposition?: Record<string, number>;
}

export function wordsOf({ tags = {}, disposition = {} }: Tagged, usual: TrackRole): TrackWords {
  return {
    language: languageOf(tags.language),
    title: titleOf(tags.title) ?? titleOf(tags.handler_name),
    role: roleOf(disposition, usual),
  };
}

/** BCP 47 of what containers write: ISO 639-2 in either of its alphabets (`ger`, `deu` → `de`), or a tag already. */
export function languageOf(tag: string | undefined): string | null {
  const text = (tag ?? '').trim();
  if (text.length > 35 || !/^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$/.test(text)) return null;
  if (NO_LANGUAGE.includes(text.slice(0, 3).toLowerCase())) return null;
  try {
    return Intl.getCanonicalLocales(text)[0] ?? null;
  } catch {
    return null;
  }
}

/** One short line without control, invisible or direction-changing characters; null when nothing is left of it. */
export function titleOf(tag: string | undefined): string | null {
  const text = (tag ?? '')
    .slice(0, 1000)
    .replace(/[\p{C}\p{Zl}\p{Zp}\uFFFD]+/gu, ' ')
    .replace(/\s+/gu, ' ')
    .trim();
  if (text === '' || MUXER_TITLE.test(text)) return null;
  return [...text].slice(0, LONGEST_TITLE).join('').trim();
}

function roleOf(disposition: Record<string, number>, usual: TrackRole): TrackRole {
  const is = (name: string) => disposition[name] === 1;
  if (usual === 'subtitle') {
    if (is('forced')) return 'forced-subtitle';
    return is('hearing_impaired') ? 'caption' : usual;
  }
  if (is('comment')) return 'commentary';
  if (is('visual_impaired')) return 'description';
  return is('dub') && usual !== 'main' ? 'dub' : usual;
}
