/** @tus/server with its file store; with `sha256` as the second argument it also knows the file's hash at the end. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { FileStore } from '@tus/file-store';
import { Server } from '@tus/server';
import { directory, listen } from './listen.mjs';

const hashAtTheEnd = process.argv[3] === 'sha256';
const server = new Server({
  path: '/files',
  datastore: new FileStore({ directory }),
  ...(hashAtTheEnd && {
    async onUploadFinish(_request, upload) {
      const hash = createHash('sha256');
      await pipeline(createReadStream(path.join(directory, upload.id), { highWaterMark: 1024 * 1024 }), hash);
      return { headers: { 'x-sha256': hash.digest('hex') } };
    },
  }),
});
listen(createServer((request, response) => server.handle(request, response)));
