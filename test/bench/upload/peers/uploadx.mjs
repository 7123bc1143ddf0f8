/** @uploadx/core on node:http; it verifies a chunk when the client sends its Digest. */
import { createServer } from 'node:http';
import { uploadx } from '@uploadx/core';
import { directory, listen } from './listen.mjs';

const handle = uploadx({
  uploadDir: directory,
  maxFileSize: '10GB',
  useRelativeLocation: true,
  allowMIME: ['*/*'],
  filename: (file) => file.id,
});
listen(
  createServer((request, response) =>
    handle(request, response, () => {
      response.statusCode = 404;
      response.end();
    }),
  ),
);
