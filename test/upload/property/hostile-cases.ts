import { sha256 } from '../support.js';

type Header = [string, string];

export const UNKNOWN = '00000000-0000-4000-8000-000000000000';
/** Of none of the bodies here: nothing of all this may be confirmed. */
export const HASH = sha256(Buffer.from('something else'));

export const hashed: Header = ['X-Content-SHA256', HASH];
export const ten: Header = ['Content-Length', '10'];

/** What is wrong with it, its offset, its headers, its body. */
export type BadChunk = [string, string, Header[], (string | Buffer)?];

export const BAD_CHUNKS: BadChunk[] = [
  ['without a hash', '1000', [ten]],
  ['with two hashes', '1000', [ten, hashed, hashed]],
  ['with a hash of look-alike digits', '1000', [ten, ['X-Content-SHA256', '\u0660'.repeat(64)]]],
  ['without a length', '1000', [hashed], ''],
  ['with a length of 0', '1000', [hashed, ['Content-Length', '0']], ''],
  ['with two equal lengths', '1000', [hashed, ten, ten]],
  ['with two lengths', '1000', [hashed, ten, ['Content-Length', '5']]],
  ['with a negative length', '1000', [hashed, ['Content-Length', '-10']]],
  ['with a length in hex', '1000', [hashed, ['Content-Length', '0xa']]],
  ['with a length with a plus', '1000', [hashed, ['Content-Length', '+10']]],
  ['with a length list', '1000', [hashed, ['Content-Length', '10, 10']]],
  ['with an absurd length', '1000', [hashed, ['Content-Length', '9007199254740993']]],
  ['with a length of 30 digits', '1000', [hashed, ['Content-Length', '9'.repeat(30)]]],
  [
    'chunked, without a length',
    '1000',
    [hashed, ['Transfer-Encoding', 'chunked']],
    'a\r\n0123456789\r\n0\r\n\r\n',
  ],
  [
    'chunked, with a chunk size that is none',
    '1000',
    [hashed, ['Transfer-Encoding', 'chunked']],
    'zz\r\n0123456789\r\n0\r\n\r\n',
  ],
  [
    'chunked, with a chunk size of 2^64',
    '1000',
    [hashed, ['Transfer-Encoding', 'chunked']],
    `${'f'.repeat(16)}f\r\n0123456789\r\n0\r\n\r\n`,
  ],
  [
    'with length and chunks (CL.TE)',
    '1000',
    [hashed, ten, ['Transfer-Encoding', 'chunked']],
    '0\r\n\r\nGET /x HTTP/1.1\r\n\r\n',
  ],
  [
    'with chunks and length (TE.CL)',
    '1000',
    [hashed, ['Transfer-Encoding', 'chunked'], ten],
    '0\r\n\r\nGET /x HTTP/1.1\r\n\r\n',
  ],
  ['with an encoding that hides', '1000', [hashed, ten, ['Transfer-Encoding', 'xchunked']]],
  ['with chunked twice', '1000', [hashed, ['Transfer-Encoding', 'chunked, chunked']], '0\r\n\r\n'],
  ['gzipped', '1000', [hashed, ten, ['Content-Encoding', 'gzip']]],
  ['with an Expect that is none', '1000', [hashed, ten, ['Expect', 'the-unexpected']]],
  ['with a space before the colon', '1000', [hashed, ['Content-Length ', '10']]],
  ['with a folded header', '1000', [hashed, ['X-Folded', 'a\r\n b'], ten]],
  ['with a NUL in a header', '1000', [hashed, ten, ['X-Nul', 'a\u0000b']]],
  ['with 64 KB of headers', '1000', [hashed, ten, ['X-Long', 'a'.repeat(65_536)]]],
  ['with 3,000 headers', '1000', [hashed, ten, ...Array.from({ length: 3000 }, (): Header => ['a', 'b'])]],
  ...[
    '-1',
    '+1',
    '1e3',
    '0x10',
    '1.5',
    '١٢٣',
    '１２３',
    '1'.repeat(17),
    '9007199254740993',
    ' 1',
    'NaN',
    '%00',
    '%31%00',
    '1%2f2',
    '..',
    '%2e%2e',
    '1;x',
    '',
    'null',
    '[1]',
    '%ff',
    '%E0%A4%A',
  ].map((offset): BadChunk => [`at the offset ${JSON.stringify(offset)}`, toPath(offset), [hashed, ten]]),
];

export const BAD_PATHS = [
  '/v1/upload/video/session/..%2f..%2f..%2fetc%2fpasswd',
  '/v1/upload/video/session/../../../../etc/passwd',
  '/v1/upload/video/session/%',
  '/v1/upload/video/session/%00',
  '/v1/upload/video/session/%c0%ae%c0%ae',
  `/v1/upload/video/session/${UNKNOWN}%0d%0aX-Header:%201`,
  `/v1/upload/video/session/${UNKNOWN.toUpperCase()}`,
  `/v1/upload/video/session/${'a'.repeat(30_000)}`,
  `/v1/upload/video/session/${"'; DROP TABLE upload_chunks; --"}`.replaceAll(' ', '%20'),
  '/v1/upload/video/session/__proto__',
  '/v1/upload/video/session/constructor/bytes/0',
  '//v1//upload/video/session//',
  '/V1/UPLOAD/VIDEO',
  '/v1/upload/video/?x[__proto__][y]=1&x=%',
  '/files/__proto__',
  '/files/%00',
  '/process',
  '/v1/upload/batch/__proto__',
  'http://elsewhere.example/v1/upload/video',
  '*',
  '/\u00e4',
];

const JSON_TYPE = 'application/json';

export const BAD_SESSIONS: [string, string | Buffer, string][] = [
  ['nothing', '', JSON_TYPE],
  ['null', 'null', JSON_TYPE],
  ['a number', '1', JSON_TYPE],
  ['a list', '[]', JSON_TYPE],
  ['half of it', '{"filename":"a.mp4","size":', JSON_TYPE],
  ['text that is not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]), JSON_TYPE],
  ['a NUL in a name', '{"filename":"a\\u0000.mp4","size":1}', JSON_TYPE],
  ['a NUL in a user', '{"filename":"a.mp4","size":1000,"user_id":"a\\u0000"}', JSON_TYPE],
  ['a lone surrogate in a user', '{"filename":"a.mp4","size":1000,"user_name":"\\ud800"}', JSON_TYPE],
  ['a NUL in the options', '{"filename":"a.mp4","size":1000,"options":{"a":"\\u0000"}}', JSON_TYPE],
  [
    'a lone surrogate in the options',
    '{"filename":"a.mp4","size":1000,"options":{"\\udfff":"\\ud800"}}',
    JSON_TYPE,
  ],
  ['a NUL in the content type', '{"filename":"a.mp4","size":1000,"content_type":"\\u0000"}', JSON_TYPE],
  ['a prototype', '{"__proto__":{"filename":"a.mp4","size":1000}}', JSON_TYPE],
  [
    'a prototype in the options',
    '{"filename":"a.mp4","size":1000,"options":{"__proto__":{"x":1}}}',
    JSON_TYPE,
  ],
  ['a constructor', '{"constructor":{"prototype":{"x":1}},"filename":"a.mp4","size":1000}', JSON_TYPE],
  ['a size of 1e400', '{"filename":"a.mp4","size":1e400}', JSON_TYPE],
  ['a size as text', '{"filename":"a.mp4","size":"1000"}', JSON_TYPE],
  ['a size as a list', '{"filename":"a.mp4","size":[1000]}', JSON_TYPE],
  ['a name as an object', '{"filename":{"toString":1},"size":1000}', JSON_TYPE],
  [
    'options 20,000 deep',
    `{"filename":"a.mp4","size":1000,"options":{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}}`,
    JSON_TYPE,
  ],
  ['60,000 keys', `{${Array.from({ length: 9000 }, (_, key) => `"${key}":1`).join()}}`, JSON_TYPE],
  ['70 KB', `{"filename":"${'a'.repeat(70_000)}.mp4","size":1000}`, JSON_TYPE],
  ['a form', 'filename=a.mp4&size=1000', 'application/x-www-form-urlencoded'],
  ['XML', '<filename>a.mp4</filename>', 'text/xml'],
  ['a type without end', '{}', 'application/json;'.repeat(50)],
  ['another charset', '{}', 'application/json; charset=utf-16'],
];

export const BAD_TUS = [
  ['a NUL in its name', `filename ${base64('a\u0000.mp4')}`, '1000'],
  ['a NUL in an option', `filename ${base64('a.mp4')},note ${base64('\u0000')}`, '1000'],
  ['options named __proto__', `filename ${base64('a.mp4')},__proto__ ${base64('x')}`, '-1'],
  ['metadata that is not base64', 'filename ***', '1000'],
  ['the same key twice', 'filename YS5tcDQ=,filename YS5tcDQ=', '1000'],
  ['10,000 keys', Array.from({ length: 10_000 }, (_, key) => `${key}`).join(), '1000'],
  ['an absurd length', `filename ${base64('a.mp4')}`, '9007199254740993'],
  ['a length in Arabic digits', `filename ${base64('a.mp4')}`, '\u00b2'],
  ['two lengths', `filename ${base64('a.mp4')}`, '1000, 2000'],
];

/** Escapes stay as they are, hostile or not. */
function toPath(offset: string): string {
  return encodeURI(offset).replaceAll('%25', '%');
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
