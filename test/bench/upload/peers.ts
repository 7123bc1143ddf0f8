import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { cp, mkdir, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import { runProgram } from '../run-program.js';
import { Client, inParallel } from './client.js';
import type { Contender } from './contender.js';
import type { Payload } from './payload.js';

const PARALLEL = 4;
const SOURCES = path.resolve('test/bench/upload/peers');
const INSTALLED = path.resolve('dist/bench/peers');

/** Into a folder of the bench's own; what is there and unchanged stays. */
export async function installPeers(say: (text: string) => void): Promise<void> {
  await mkdir(INSTALLED, { recursive: true });
  await cp(SOURCES, INSTALLED, { recursive: true });
  const [wanted, had] = await Promise.all(
    ['package.json', 'node_modules/.package-lock.json'].map((name) =>
      stat(path.join(INSTALLED, name)).then(
        (stats) => stats.mtimeMs,
        () => 0,
      ),
    ),
  );
  if (had && wanted && had > wanted) return;
  say('Installing what is measured against (once) …');
  await runProgram('npm', ['install', '--prefix', INSTALLED, '--no-audit', '--no-fund', '--omit=dev']);
}

type Upload = (client: Client, payload: Payload) => Promise<string | undefined>;

export const tusPeer = (dir: string) => start('@tus/server', ['tus.mjs'], dir, sendByTus('/files'));
export const tusPeerWithHash = (dir: string) =>
  start('@tus/server + SHA-256', ['tus.mjs', 'sha256'], dir, sendByTus('/files'));
export const uploadxPeer = (dir: string) =>
  start('@uploadx/core + digest', ['uploadx.mjs'], dir, sendToUploadx);
export const handwrittenPeer = (dir: string) =>
  start('multer, assembled', ['handwritten.mjs'], dir, sendForms);

async function start(
  name: string,
  [script = '', ...rest]: string[],
  dir: string,
  send: Upload,
): Promise<Contender> {
  const child = spawn(process.execPath, [path.join(INSTALLED, script), dir, ...rest], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const interrupted = () => child.kill('SIGKILL');
  process.once('exit', interrupted);
  const [port] = (await once(createInterface(child.stdout), 'line')) as [string];
  const client = new Client(`http://127.0.0.1:${port}`);
  const pid = child.pid as number;
  let said: string | undefined;
  return {
    name,
    pid,
    roots: [pid],
    async upload(payload) {
      said = await send(client, payload);
    },
    async settle() {
      const sha256 = said ?? (await hashOfLargest(dir));
      for (const entry of await readdir(dir)) await rm(path.join(dir, entry), { recursive: true });
      return { sha256, completeMs: null };
    },
    async stop() {
      client.close();
      process.off('exit', interrupted);
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

/** One chunk after another, as the protocol wants it; answers with the hash where the server tells one. */
export function sendByTus(root: string): Upload {
  return async (client, { bytes, chunks }) => {
    const tus = { 'tus-resumable': '1.0.0' };
    const name = Buffer.from('bench.mp4').toString('base64');
    const created = await client.send('POST', root, {
      headers: { ...tus, 'upload-length': bytes.length, 'upload-metadata': `filename ${name}` },
    });
    const location = created.headers.location ?? '';
    let said: string | undefined;
    for (const chunk of chunks) {
      const { headers } = await client.send('PATCH', location, {
        headers: {
          ...tus,
          'content-type': 'application/offset+octet-stream',
          'upload-offset': chunk.offset,
        },
        body: chunk.bytes,
      });
      said = headers['x-sha256'] as string | undefined;
    }
    return said;
  };
}

async function sendToUploadx(client: Client, { bytes, chunks }: Payload): Promise<undefined> {
  const created = await client.send('POST', '/files', {
    headers: {
      'content-type': 'application/json',
      'x-upload-content-length': bytes.length,
      'x-upload-content-type': 'video/mp4',
    },
    body: Buffer.from(JSON.stringify({ name: 'bench.mp4', size: bytes.length, mimeType: 'video/mp4' })),
  });
  const location = created.headers.location ?? '';
  for (const { offset, bytes: part, sha256 } of chunks) {
    await client.send('PUT', location, {
      headers: {
        'content-range': `bytes ${offset}-${offset + part.length - 1}/${bytes.length}`,
        digest: `sha-256=${Buffer.from(sha256, 'hex').toString('base64')}`,
      },
      body: part,
    });
  }
}

async function sendForms(client: Client, { chunks }: Payload): Promise<string> {
  const id = `upload-${Date.now()}`;
  await inParallel(chunks, PARALLEL, ({ index, bytes }) =>
    client.send('POST', `/${id}/${index}`, asForm('chunk', bytes)),
  );
  const { sha256 } = await client.json<{ sha256: string }>('POST', `/${id}`, { total: chunks.length });
  return sha256;
}

export function asForm(field: string, bytes: Buffer, fields: Record<string, string> = {}) {
  const boundary = 'sluice-bench-boundary';
  const texts = Object.entries(fields).map(
    ([name, value]) => `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  const head = `${texts.join('')}--${boundary}\r\ncontent-disposition: form-data; name="${field}"; filename="bench.mp4"\r\ncontent-type: video/mp4\r\n\r\n`;
  return {
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
    body: [Buffer.from(head), bytes, Buffer.from(`\r\n--${boundary}--\r\n`)],
  };
}

async function hashOfLargest(dir: string): Promise<string> {
  const files = await Promise.all(
    (await readdir(dir)).map(async (name) => ({ name, size: (await stat(path.join(dir, name))).size })),
  );
  const largest = files.sort((a, b) => b.size - a.size)[0];
  if (!largest) throw new Error(`nothing was stored in ${dir}`);
  const hash = createHash('sha256');
  await pipeline(createReadStream(path.join(dir, largest.name), { highWaterMark: 1024 * 1024 }), hash);
  return hash.digest('hex');
}
