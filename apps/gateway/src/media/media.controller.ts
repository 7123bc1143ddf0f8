import { Controller, Get, Head, Inject, Param, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { PLAYLISTS, SluiceError } from '#contracts';
import { type ObjectStore, type StoredObject } from '#storage';
import { STORE } from '../tokens.js';
import { dispositionOf } from './disposition.js';
import { EarlyPlaylists } from './early-playlists.js';
import { HLS_TYPE, type MediaObject, parseMediaPath } from './media-path.js';
import { type Leave, MediaRights, mediaNotFound } from './media-rights.js';
import { Quarantine } from './quarantine.js';
import { parseRange } from './range.js';

/** A name that carries a digest means the same bytes for ever; a year is the custom. */
const FOR_EVER = 31_536_000;
const A_MINUTE = 60;

/** With a ticket before the asset a whole tree of relative addresses is signed. */
const PATHS = [':assetId/*', 'signed/:ticket/:assetId/*'] as const;

function cacheControl({ immutable }: MediaObject, { isPublic, seconds }: Leave): string {
  const age = Math.min(immutable ? FOR_EVER : A_MINUTE, seconds);
  return `${isPublic ? 'public' : 'private'}, max-age=${age}${immutable ? ', immutable' : ''}`;
}

/** Media for development and single machines; in a cluster a CDN over the store takes these addresses. */
@Controller('media')
export class MediaController {
  constructor(
    @Inject(EarlyPlaylists) private readonly early: EarlyPlaylists,
    @Inject(Quarantine) private readonly quarantine: Quarantine,
    @Inject(MediaRights) private readonly rights: MediaRights,
    @Inject(STORE) private readonly store: ObjectStore,
  ) {}

  @Head([...PATHS])
  head(@Param() params: Record<string, string>, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    return this.get(params, request, reply);
  }

  @Get([...PATHS])
  async get(
    @Param() params: Record<string, string>,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ) {
    const target = parseMediaPath(params.assetId ?? '', params['*'] ?? '');
    if (!target) throw mediaNotFound();
    const leave = await this.rights.assertMaySee(request, params.assetId ?? '', params.ticket);
    // Always: a cache must not give an answer without the CORS header to a page that needs it.
    reply.header('vary', 'Origin');
    if (target.kind === 'object') {
      if (await this.quarantine.holds(params.assetId ?? '')) throw mediaNotFound();
      return this.sendObject(target, leave, request, reply);
    }
    reply.header('cache-control', 'no-store');
    try {
      const text =
        target.kind === 'early-multivariant'
          ? await this.early.multivariant(target.assetId, target.format)
          : await this.early.media(target.assetId, target.rendition, target.format);
      return reply.type(HLS_TYPE).send(text);
    } catch (error) {
      // What an early playlist is made of goes with the row of its job (S1-06); the finished one says the same.
      if (!(await this.early.isReplaced(target.assetId))) throw error;
      const [multivariant, media] = PLAYLISTS[target.format].finished;
      return reply.redirect(target.kind === 'early-multivariant' ? multivariant : media, 307);
    }
  }

  private async sendObject(
    target: MediaObject,
    leave: Leave,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const object = await this.store.stat(target.key);
    if (!object) throw mediaNotFound();
    const etag = `"${target.version ?? versionOf(object)}"`;
    reply
      .header('cache-control', cacheControl(target, leave))
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
