import path from 'node:path';
import { parseArgs } from 'node:util';
import { figureTable } from './figures.js';
import { benchPipeline } from './pipeline.js';
import { benchUpload } from './upload/index.js';

const HELP = `npm run bench -- pipeline|upload [--quick] [--json] [--pairs N] [--source FILE]

  pipeline   our job against one plain ffmpeg that makes the same renditions
  upload     our doors against @tus/server, @uploadx/core and a hand-written service, 1 GiB each
  --quick    a smoke run of under 50 s with the same figures on a small source
  --pairs    how often each side is run, in turns (3; 2 with --quick)
  --source   pipeline: a video to make the two-minute source of; without it pictures are generated
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
    source: { type: 'string' },
  },
});
const pairs = Number(values.pairs ?? (values.quick ? PAIRS.quick : PAIRS.full));

if (values.help || !isBench(positionals[0]) || !Number.isInteger(pairs) || pairs < 1) {
  console.error(HELP);
  process.exit(values.help ? 0 : 1);
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const say = (text: string) => console.error(text);
const figures =
  positionals[0] === 'upload'
    ? await benchUpload({ quick: values.quick, rounds: pairs, say })
    : await benchPipeline({
        quick: values.quick,
        pairs,
        source: values.source ? path.resolve(process.env.INIT_CWD ?? '.', values.source) : null,
        say,
      });
console.error(figureTable(figures));
if (values.json) for (const figure of figures) console.log(JSON.stringify(figure));

function isBench(name: string | undefined): boolean {
  return name === 'pipeline' || name === 'upload';
}
