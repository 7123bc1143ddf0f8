import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { build } from 'esbuild';
import type { Browser } from 'playwright-core';
import { type DetailedError, Upload, type UploadOptions } from 'tus-js-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '#testing';
import { chromiumPath, launch, visit } from '../browser/chromium.js';
import { assembled, eventsOf, look, rowsOf, startUploads, type UploadStack, videoBytes } from './support.js';
import { idOf } from './tus-support.js';

let stack: UploadStack;
let endpoint: string;
let pages: Server;
let pageUrl: string;

beforeAll(async () => {
  pages = await servePage();
  pageUrl = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
  stack = await startUploads(1, {
    UPLOAD_MAX_CHUNK_SIZE: '65536',
    UPLOAD_MAX_FILE_SIZE: '20000000',
    ALLOWED_ORIGINS: pageUrl,
  });
  endpoint = `${stack.uploads[0]}/files`;
});
afterAll(async () => {
  await stack?.stop();
  pages?.close();
});

/** The promise of one upload: its address when it is complete. `during` may stop it. */
function send(
  file: Buffer,
  options: Partial<UploadOptions> = {},
  during: (upload: Upload, stopped: () => void) => void = () => undefined,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const upload = new Upload(file, {
      endpoint,
      retryDelays: Array.from({ length: 80 }, () => 250),
      metadata: { filename: 'harbour.mp4', filetype: 'video/mp4' },
      onSuccess: () => resolve(upload.url ?? ''),
      onError: (error: Error | DetailedError) => reject(error),
      ...options,
    });
    during(upload, () => resolve(upload.url ?? ''));
    upload.start();
  });
}

async function expectWhole(id: string, file: Buffer): Promise<void> {
  expect((await look(stack.uploads[0]!, id)).body.data).toMatchObject({
    status: 'completed',
    filename: 'harbour.mp4',
    size: file.length,
  });
  expect((await assembled(stack, id)).equals(file)).toBe(true);
  expect(await eventsOf(stack, id)).toEqual(['upload_started', 'upload_completed']);
}

describe('tus-js-client', () => {
  it('sends a file in one request, in chunks, with its bytes in the creation, and with a length that it tells late', async () => {
    const ways: Partial<UploadOptions>[] = [
      {},
      { chunkSize: 100_000 },
      { uploadDataDuringCreation: true, chunkSize: 200_000 },
      { uploadLengthDeferred: true, chunkSize: 100_000 },
      { overridePatchMethod: true },
    ];
    for (const way of ways) {
      // A file that is known already would keep no chunks.
      const file = videoBytes(300_000);
      await expectWhole(idOf(await send(file, way)), file);
    }
  });

  it('S3-06 sends four parts at once and puts them together', async () => {
    const file = videoBytes(1_000_001);
    const id = idOf(await send(file, { parallelUploads: 4 }));
    await expectWhole(id, file);
    const [counted] = await stack.query('SELECT count(*) FROM upload_sessions WHERE final_id = $1', [id]);
    expect(counted).toEqual({ count: 4 });
  });

  it('S3-06 stops, and another client goes on from there', async () => {
    const file = videoBytes(1_000_000);
    const uploadUrl = await send(file, { chunkSize: 200_000 }, (upload, stopped) => {
      upload.options.onChunkComplete = (_size, sent) => {
        if (sent >= 400_000) void upload.abort().then(stopped);
      };
    });
    const sizes = (await rowsOf(stack, idOf(uploadUrl))).map((row) => Number(row.size));
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeGreaterThanOrEqual(400_000);
    let resumedAt = -1;
    await send(file, { uploadUrl, chunkSize: 200_000 }, (upload) => {
      upload.options.onProgress = (sent) => {
        if (resumedAt < 0) resumedAt = sent;
      };
    });
    expect(resumedAt).toBeGreaterThanOrEqual(400_000);
    await expectWhole(idOf(uploadUrl), file);
  });

  it('goes on when the upload process is killed in the middle of a chunk and started again', async () => {
    const file = videoBytes(2_000_000);
    // Its pieces are recorded up to the middle; the next one waits until we have looked.
    await stack.query('CREATE TABLE held ()');
    await stack.query('INSERT INTO held DEFAULT VALUES');
    await stack.query(`CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      WHILE EXISTS (SELECT 1 FROM held) LOOP PERFORM pg_sleep(0.02); END LOOP; RETURN NEW; END $$`);
    await stack.query(`CREATE TRIGGER hold BEFORE INSERT ON upload_chunks FOR EACH ROW
      WHEN (NEW.byte_offset >= 500000) EXECUTE FUNCTION hold()`);
    const ofUpload = `FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'`;
    const waiting = () => stack.query(`SELECT pid ${ofUpload}`);
    let url = '';
    const sent = send(file, {}, (upload) => {
      upload.options.onUploadUrlAvailable = () => {
        url = upload.url ?? '';
      };
    });
    await waitFor(async () => (await waiting()).length > 0, { what: 'a piece to be held' });
    expect((await rowsOf(stack, idOf(url))).length).toBeGreaterThan(2);
    await stack.kill('upload');
    const [row] = await stack.query('SELECT writing, status FROM upload_sessions WHERE id = $1', [idOf(url)]);
    expect(row).toEqual({ writing: true, status: 'active' });
    await stack.query(`SELECT pg_terminate_backend(pid) ${ofUpload}`);
    await stack.query('DROP TRIGGER hold ON upload_chunks');
    await stack.restart('upload');
    await expectWhole(idOf(await sent), file);
  });

  it('S3-03 removes what it had sent', async () => {
    const file = videoBytes(500_000);
    const url = await send(file, { chunkSize: 100_000 }, (upload, stopped) => {
      upload.options.onChunkComplete = () => void upload.abort(true).then(stopped);
    });
    expect((await look(stack.uploads[0]!, idOf(url))).body.data.status).toBe('cancelled');
    expect(await rowsOf(stack, idOf(url))).toEqual([]);
  });
});

/** What the page below offers to the test. */
interface UppyPage {
  start(endpoint: string, size: number): void;
  pause(): void;
  resume(): void;
  state(): { sent: number; url: string | null; complete: boolean; error: string | null };
}

const PAGE = `
  import Uppy from '@uppy/core';
  import Tus from '@uppy/tus';
  const uppy = new Uppy({ autoProceed: true });
  const state = { sent: 0, url: null, complete: false, error: null };
  uppy.on('upload-progress', (file, progress) => { state.sent = progress.bytesUploaded; });
  uppy.on('upload-success', (file, response) => { state.url = response.uploadURL; });
  uppy.on('upload-error', (file, error) => { state.error = String(error); });
  uppy.on('complete', () => { state.complete = true; });
  globalThis.uppyPage = {
    start(endpoint, size) {
      uppy.use(Tus, { endpoint, chunkSize: 50_000, retryDelays: [100, 500, 1000] });
      const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 7) % 251);
      bytes.set([0, 0, 0, 24, ...new TextEncoder().encode('ftypisom')]);
      uppy.addFile({ name: 'harbour.mp4', type: 'video/mp4', data: new Blob([bytes]) });
    },
    pause: () => uppy.pauseAll(),
    resume: () => uppy.resumeAll(),
    state: () => state,
  };
`;

async function servePage(): Promise<Server> {
  const { outputFiles } = await build({
    stdin: { contents: PAGE, resolveDir: import.meta.dirname, loader: 'js' },
    bundle: true,
    format: 'esm',
    platform: 'browser',
    write: false,
  });
  const script = outputFiles[0]?.text ?? '';
  const server = createServer((request, response) => {
    const isScript = request.url === '/page.js';
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
    response.end(isScript ? script : '<!doctype html><script type="module" src="/page.js"></script>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

describe.skipIf(!chromiumPath)(
  "Uppy's tus plugin in Chromium (skipped where no Chromium is installed)",
  () => {
    let browser: Browser;

    beforeAll(async () => {
      browser = await launch();
    });
    afterAll(() => browser?.close());

    it('S3-06 sends a file from a page of another origin, pauses and goes on', async () => {
      const { page, troubles, close } = await visit(browser, pageUrl);
      const ask = <K extends keyof UppyPage>(name: K, ...given: Parameters<UppyPage[K]>) =>
        page.evaluate(
          ([method, values]) => {
            const offered = (
              globalThis as unknown as { uppyPage: Record<string, (...all: unknown[]) => unknown> }
            ).uppyPage;
            return offered[method as string]?.(...(values as unknown[]));
          },
          [name, given] as const,
        ) as Promise<ReturnType<UppyPage[K]>>;
      const size = 1_500_000;
      await ask('start', endpoint, size);
      await waitFor(async () => (await ask('state')).sent > 100_000, { what: 'some bytes', intervalMs: 20 });
      await ask('pause');
      await ask('resume');
      const { url, error } = await waitFor(
        async () => {
          const state = await ask('state');
          return (state.complete || state.error !== null) && state;
        },
        { what: 'Uppy to end' },
      );
      expect([error, troubles]).toEqual([null, []]);
      const expected = Buffer.from(Uint8Array.from({ length: size }, (_, i) => (i * 7) % 251));
      expected.set([0, 0, 0, 24, ...Buffer.from('ftypisom')]);
      await expectWhole(idOf(url ?? ''), expected);
      await close();
    });
  },
);
