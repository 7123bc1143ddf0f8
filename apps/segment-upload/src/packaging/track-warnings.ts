import type { JobWarning } from '#contracts';
import type { LeftOut } from './package-rows.js';

/** Pure: one sentence for each reason. */
export function trackWarnings({ audio, subtitles, failed }: LeftOut): JobWarning[] {
  const sentences: string[] = [];
  if (failed.length > 0) {
    const what = failed.length === 1 ? 'A track' : 'Tracks';
    const is = failed.length === 1 ? 'is' : 'are';
    sentences.push(`${what} of the video could not be converted and ${is} left out (${failed.join(', ')}).`);
  }
  const tooMany = [
    { count: audio, kind: 'sound' },
    { count: subtitles, kind: 'text' },
  ];
  for (const { count, kind } of tooMany) {
    if (count > 0)
      sentences.push(
        `The video has more tracks of ${kind} than are kept: ${count} of them ${count === 1 ? 'is' : 'are'} left out.`,
      );
  }
  return sentences.map((message) => ({ code: 'track_left_out', message }));
}
