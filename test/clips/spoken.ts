import { makeFile } from './make.js';
import { numberedPicture, tone } from './picture.js';

/** A file of text as ffmpeg's input: no second file is needed. */
const text = (format: 'srt' | 'ass' | 'webvtt', content: string) => [
  ...['-f', format, '-i', `data:text/plain;base64,${Buffer.from(content).toString('base64')}`],
];

const time = (seconds: number) => `00:00:0${seconds.toFixed(3).replace('.', ',')}`;
/** Texts with the second at which each begins; one second long. */
const srt = (cues: Record<number, string>) =>
  Object.entries(cues)
    .map(([at, words], i) => `${i + 1}\n${time(Number(at))} --> ${time(Number(at) + 1)}\n${words}\n\n`)
    .join('');

/** What must come out as words, if it comes out at all. */
export const HOSTILE = '<script>alert(1)</script> & <img src=x onerror=alert(2)>\n<b>bold</b> <v Eve>who';

const ass = [
  '[Script Info]',
  'ScriptType: v4.00+',
  '[V4+ Styles]',
  'Format: Name, Fontname, Fontsize',
  'Style: Default,Arial,20',
  '[Events]',
  'Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text',
  'Dialogue: 0,0:00:00.50,0:00:01.25,Default,,0,0,0,,{\\an8\\i1}Guten{\\i0} Tag\\Nund gut',
  '',
].join('\n');

const PICTURE = ['-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '2', '-g', '300'];

export interface Spoken {
  file: string;
  seconds: number;
  /** MOV and MP4 have text of their own kind, TS none. */
  textCodecs: string[];
  /** Options that the muxer needs. */
  muxer?: string[];
}

/** Pictures, three sound tracks of which the second is the default one, and text in two languages. */
export function spoken({ file, seconds, textCodecs, muxer = [] }: Spoken): Promise<string> {
  const english = srt({ 0.5: 'First & foremost', 1.5: HOSTILE, 2.5: 'Beyond the end' });
  const inputs = [
    ...['-f', 'lavfi', '-i', numberedPicture({ width: 426, height: 240, rate: '25', frames: seconds * 25 })],
    ...['-f', 'lavfi', '-i', tone(seconds)],
    ...['-f', 'lavfi', '-i', `sine=frequency=880:duration=${seconds}`],
    ...['-f', 'lavfi', '-i', `sine=frequency=220:duration=${seconds - 1}`],
    ...(textCodecs.length > 0 ? [...text('srt', english), ...text('ass', ass)] : []),
  ];
  return makeFile({
    file,
    steps: [
      [
        ...inputs,
        ...['-map', '0', '-map', '1', '-map', '2', '-map', '3'],
        ...textCodecs.flatMap((codec, i) => ['-map', String(i + 4), `-c:s:${i}`, codec]),
        ...PICTURE,
        ...['-c:a', 'aac', '-b:a', '48k'],
        ...['-metadata:s:a:0', 'language=ger', '-metadata:s:a:0', 'title=Kommentar\u202E "der" <Regie>'],
        ...['-metadata:s:a:1', 'language=eng', '-metadata:s:a:2', 'language=jpn'],
        ...['-disposition:a:0', 'comment', '-disposition:a:1', 'default', '-disposition:a:2', '0'],
        ...(textCodecs.length > 0 ? ['-metadata:s:s:0', 'language=eng'] : []),
        ...(textCodecs.length > 1 ? ['-metadata:s:s:1', 'language=ger', '-disposition:s:1', 'forced'] : []),
        ...muxer,
        '%out',
      ],
    ],
  });
}
