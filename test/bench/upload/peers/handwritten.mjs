/**
 * The service that is usually written by hand: multer, a file for each chunk; at the end the chunks
 * are put together as a stream, and hashed on the way.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import express from 'express';
import multer from 'multer';
import { directory, listen } from './listen.mjs';

const BUFFER = { highWaterMark: 1024 * 1024 };
const folderOf = (id) => path.join(directory, path.basename(id));
const upload = multer({
  storage: multer.diskStorage({
    destination: (request, _file, done) => {
      const folder = folderOf(request.params.id);
      mkdir(folder, { recursive: true }).then(() => done(null, folder), done);
    },
    filename: (request, _file, done) => done(null, String(Number(request.params.index))),
  }),
});

const app = express();
app.post('/:id/:index', upload.single('chunk'), (_request, response) => response.json({ ok: true }));
app.post('/:id', express.json(), async (request, response) => {
  const folder = folderOf(request.params.id);
  const hash = createHash('sha256');
  async function* chunks() {
    for (let index = 0; index < request.body.total; index++) {
      for await (const bytes of createReadStream(path.join(folder, String(index)), BUFFER)) {
        hash.update(bytes);
        yield bytes;
      }
    }
  }
  await pipeline(chunks(), createWriteStream(`${folder}.mp4`, BUFFER));
  await rm(folder, { recursive: true });
  response.json({ sha256: hash.digest('hex') });
});
listen(createServer(app));
