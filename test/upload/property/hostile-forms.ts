import { UNKNOWN } from './hostile-cases.js';

const ftyp = () => '\u0000\u0000\u0000\u0018ftypisom'.padEnd(100, 'x');
const TYPE = 'multipart/form-data; boundary=b';

/** What is wrong with it, its Content-Type, its body. */
export const BAD_FORMS: [string, string, string][] = [
  ['without a boundary', 'multipart/form-data', 'x'],
  ['with an empty boundary', 'multipart/form-data; boundary=', 'x'],
  ['with a boundary of 5,000 characters', `multipart/form-data; boundary=${'b'.repeat(5000)}`, 'x'],
  ['that is empty', TYPE, ''],
  ['that only ends', TYPE, '--b--\r\n'],
  ['without a name', TYPE, '--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n'],
  ['with a part without headers', TYPE, '--b\r\n\r\nx\r\n--b--\r\n'],
  [
    'with fields named __proto__',
    TYPE,
    field('__proto__', 'x') + field('constructor', 'y') + file('a.mp4', 'x'),
  ],
  ['with a NUL in its options', TYPE, field('options', '{"a":"\\u0000"}') + file('a.mp4', ftyp())],
  ['with 1,000 fields', TYPE, field('a', 'b').repeat(1000) + file('a.mp4', ftyp())],
  ['with a field of 100 KB', TYPE, field('options', 'x'.repeat(100_000)) + file('a.mp4', ftyp())],
  [
    'with chunk 1e3 of 1e4',
    TYPE,
    field('chunk_index', '1e3') + field('total_chunks', '1e4') + file('a.mp4', ftyp()),
  ],
  ['with chunk -1', TYPE, field('chunk_index', '-1') + field('total_chunks', '2') + file('a.mp4', ftyp())],
  [
    'with a chunk in Arabic digits',
    TYPE,
    field('chunk_index', '١') + field('total_chunks', '٢') + file('a.mp4', ftyp()),
  ],
  [
    'of a session that is none',
    TYPE,
    field('session_id', "' OR 1=1") + field('chunk_index', '0') + file('a.mp4', ftyp()),
  ],
  [
    'of an unknown session, said late',
    TYPE,
    `${file('a.mp4', ftyp(), false) + field('session_id', UNKNOWN) + field('chunk_index', '0')}--b--\r\n`,
  ],
  [
    'with a header of 100 KB',
    TYPE,
    `--b\r\nContent-Disposition: form-data; name="file"; filename="${'a'.repeat(100_000)}.mp4"\r\n\r\nx\r\n--b--\r\n`,
  ],
  ['with a name that is a path', TYPE, file('../../../../tmp/x.mp4', ftyp())],
  ['with a name of bad UTF-8', TYPE, file('\u00ff\u00fe\u0000.mp4', ftyp())],
  ['with two files', TYPE, file('a.mp4', ftyp(), false) + file('b.mp4', ftyp())],
  [
    'nested in a form',
    TYPE,
    '--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\n--c--\r\n--b--\r\n',
  ],
];

function field(name: string, value: string): string {
  return `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
}

function file(name: string, content: string, last = true): string {
  const head = `--b\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\n\r\n`;
  return `${head}${content}\r\n${last ? '--b--\r\n' : ''}`;
}
