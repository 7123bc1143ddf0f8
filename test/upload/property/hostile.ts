/** A request as its bytes, however wrong. */
export interface Given {
  method?: string;
  path?: string;
  version?: string;
  /** A header may come twice. */
  headers: [string, string][];
  body?: string | Buffer;
}

export function toBytes({ method = 'GET', path = '/', version = '1.1', headers, body = '' }: Given): Buffer {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const head = Buffer.from(`${method} ${path} HTTP/${version}\r\n${lines}\r\n`, 'latin1');
  return Buffer.concat([head, Buffer.from(body)]);
}

export interface Answer {
  status: number;
  body: string;
}

/** Every answer in what came back; a body is as long as its Content-Length says. */
export function answersIn(text: string): Answer[] {
  const answers: Answer[] = [];
  for (let rest = text; rest.length > 0; ) {
    const match = /^HTTP\/1\.1 (\d{3})[^\r]*\r\n([\s\S]*?)\r\n\r\n/.exec(rest);
    if (!match) throw new Error(`no answer begins at ${text.length - rest.length}: ${text.slice(0, 2000)}`);
    // Node's own answer to a request without Host has no body, in chunks.
    const none = /^transfer-encoding: chunked/im.test(match[2]!) ? '0\r\n\r\n'.length : 0;
    // An answer to HEAD only tells the length.
    const bare = /^(HTTP\/1\.1 |$)/.test(rest.slice(match[0].length));
    const length = bare ? 0 : Number(/^content-length: (\d+)/im.exec(match[2]!)?.[1] ?? none);
    const body = rest.slice(match[0].length, match[0].length + length);
    if (match[1] !== '100') answers.push({ status: Number(match[1]), body });
    rest = rest.slice(match[0].length + length);
  }
  return answers;
}
