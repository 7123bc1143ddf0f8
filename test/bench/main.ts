import path from 'node:path';
import { parseArgs } from 'node:util';
import { type Figure, figureTable } from './figures.js';
import { benchOverlap, LENGTHS } from './overlap/index.js';
import { benchPipeline } from './pipeline.js';
import { benchProgress } from './progress/index.js';
import { benchQueue } from './queue.js';
import { benchRecovery } from './recovery/index.js';
import { benchScale } from './scale/index.js';
import { benchUpload } from './upload/index.js';

const HELP = `npm run bench -- pipeline|overlap|recovery|upload|queue|scale|progress [--quick] [--json] [--pairs N] [--source FILE] [--lengths 1,5]

  pipeline   our job against one plain ffmpeg that makes the same renditions
  overlap    what is left to wait for after an upload that takes 1.2 times as long as its encode, against the
             whole encode; and after the upload of a file that is copied
  recovery   how long work stands still when an encoder is killed, Redis is away for 20 s, or is emptied
  upload     our doors against @tus/server, @uploadx/core and a hand-written service, 1 GiB each
  queue      100,000 waiting spans: adding them, their memory, and how soon an urgent one is taken up
  scale      one video over 1 to 4 single-threaded transcode processes, and on paper over up to 1,000
  progress   facts from Redis to 1,000 and 2,000 clients over two gateways, beside Socket.IO with its adapters;
             then one gateway is killed
  --quick    a smoke run of about a minute with the same figures on a small source
  --pairs    how often each side is run, in turns (3; 2 with --quick)
  --source   pipeline: a video to make the two-minute source of; without it pictures are generated
  --lengths  overlap: minutes of video, of 1, 5 and 20 (all of them; 1 with --quick)
  --json     one line per figure on standard output, all else on standard error`;

/** Fewer pairs say nothing about the spread; a smoke run only shows that there is one. */
const PAIRS = { full: 3, quick: 2 };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
    pairs: { type: 'string' },
    lengths: { type: 'string' },
    source: { type: 'string' },
  },
});
const pairs = Number(values.pairs ?? (values.quick ? PAIRS.quick : PAIRS.full));
const lengths = values.lengths?.split(',').map(Number) ?? (values.quick ? [1] : LENGTHS);

const say = (text: string) => console.error(text);
const options = { quick: values.quick, pairs, say };
const benches: Record<string, () => Promise<Figure[]>> = {
  pipeline: () =>
    benchPipeline({
      ...options,
      source: values.source ? path.resolve(process.env.INIT_CWD ?? '.', values.source) : null,
    }),
  overlap: () => benchOverlap({ ...options, lengths }),
  queue: () => benchQueue(options),
  scale: () => benchScale(options),
  progress: () => benchProgress(options),
  recovery: () => benchRecovery({ quick: values.quick, rounds: pairs, say }),
  upload: () => benchUpload({ quick: values.quick, rounds: pairs, say }),
};
const bench = benches[positionals[0] ?? ''];
const understood = Number.isInteger(pairs) && pairs >= 1 && lengths.every((one) => LENGTHS.includes(one));
if (values.help || !bench || !understood) {
  console.error(HELP);
  process.exit(values.help ? 0 : 1);
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const figures = await bench();
console.error(figureTable(figures));
if (values.json) for (const figure of figures) console.log(JSON.stringify(figure));
