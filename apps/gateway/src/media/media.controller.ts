import { Controller, Get, Head, Inject, Param, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { SluiceError } from '#contracts';
import { type ObjectStore, type StoredObject } from '#storage';
import { STORE } from '../tokens.js';
import { dispositionOf } from './disposition.js';
import { EarlyPlaylists } from './early-playlists.js';
import { HLS_TYPE, type MediaObject, parseMediaPath } from './media-path.js';
import { Quarantine } from './quarantine.js';
import { parseRange } from './range.js';

const FOR_EVER = 'public, max-age=31536000, immutable';
const A_MINUTE = 'public, max-age=60';

/** Media for development and single machines; in a cluster a CDN over the store takes these addresses. */
@Controller('media')
export class MediaController {
  constructor(
    @Inject(EarlyPlaylists) private readonly early: EarlyPlaylists,
    @Inject(Quarantine) private readonly quarantine: Quarantine,
    @Inject(STORE) private readonly store: ObjectStore,
  ) {}

  @Head(':assetId/*')
  head(@Param() params: Record<string, string>, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    return this.get(params, request, reply);
  }

  @Get(':assetId/*')
  async get(
    @Param() params: Record<string, string>,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ) {
    const target = parseMediaPath(params.assetId ?? '', params['*'] ?? '');
    if (!target) throw notFound();
    // Always: a cache must not give an answer without the CORS header to a page that needs it.
    reply.header('vary', 'Origin');
    if (target.kind === 'object') {
      if (await this.quarantine.holds(params.assetId ?? '')) throw notFound();
      return this.sendObject(target, request, reply);
    }
    const text =
      target.kind === 'early-multivariant'
        ? await this.early.multivariant(target.assetId, target.format)
        : await this.early.media(target.assetId, target.rendition, target.format);
    return reply.header('cache-control', 'no-store').type(HLS_TYPE).send(text);
  }

  private async sendObject(
    target: MediaObject,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const object = await this.store.stat(target.key);
    if (!object) throw notFound();
    const etag = `"${target.version ?? versionOf(object)}"`;
    reply
      .header('cache-control', target.immutable ? FOR_EVER : A_MINUTE)
      .header('etag', etag)
      .header('accept-ranges', 'bytes');
    const disposition = target.isDownload ? dispositionOf(filenameIn(request)) : null;
    if (disposition) reply.header('content-disposition', disposition);
    if (matches(request.headers['if-none-match'], etag)) return reply.code(304).send();
    const ifRange = request.headers['if-range'];
    const asked = ifRange === undefined || ifRange === etag ? request.headers.range : undefined;
    const range = parseRange(asked, object.size);
    if (range === 'unsatisfiable') {
      reply
        .header('content-range', `bytes */${object.size}`)
        .header('cache-control', 'no-store')
        .removeHeader('etag');
      throw new SluiceError(
        'range_not_satisfiable',
        `This object has ${object.size} bytes; ask for some of them.`,
      );
    }
    const { start, end } = range ?? { start: 0, end: object.size };
    if (range) reply.code(206).header('content-range', `bytes ${start}-${end - 1}/${object.size}`);
    reply.type(target.type).header('content-length', end - start);
    if (request.method === 'HEAD') return reply.send();
    const abort = new AbortController();
    reply.raw.once('close', () => abort.abort());
    const body = await this.store.get(target.key, { start, end }, abort.signal);
    return reply.send(body);
  }
}

const filenameIn = ({ query }: FastifyRequest) => (query as { filename?: unknown }).filename;

const versionOf = ({ size, modified }: StoredObject) =>
  `${size.toString(16)}-${modified.getTime().toString(16)}`;

const matches = (header: string | undefined, etag: string): boolean =>
  header?.split(',').some((one) => one.trim().replace(/^W\//, '') === etag || one.trim() === '*') ?? false;

const notFound = () =>
  new SluiceError(
    'media_not_found',
    'There is no such media; use an address that a job or a playlist names.',
  );
