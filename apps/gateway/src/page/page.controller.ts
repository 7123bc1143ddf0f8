import { fileURLToPath } from 'node:url';
import { Controller, Get, Head, Header, Inject, Param, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { acceptedExtensions } from '#config';
import { type PublicConfig, SluiceError } from '#contracts';
import { parseId, type ServiceContext } from '#http';
import { CONTEXT } from '../tokens.js';
import { contentSecurityPolicy, uploadUrl } from './content-policy.js';
import { findStaticFile } from './static-files.js';

/** `dist/apps/gateway/public`, where the build puts the page. */
const PUBLIC_DIR = fileURLToPath(new URL('../../public/', import.meta.url));
const PAGE = 'index.html';

/** The page and what it needs to know. */
@Controller()
export class PageController {
  constructor(@Inject(CONTEXT) private readonly context: ServiceContext) {}

  @Get('config.json')
  @Header('cache-control', 'no-store')
  config(@Req() request: FastifyRequest): PublicConfig {
    const { environment } = this.context;
    return {
      upload_url: uploadUrl(environment, request.headers.host ?? ''),
      max_file_size: environment.UPLOAD_MAX_FILE_SIZE,
      max_chunk_size: environment.UPLOAD_MAX_CHUNK_SIZE,
      allowed_extensions: acceptedExtensions(environment),
      needs_token: environment.AUTH_MODE === 'keys',
    };
  }

  @Get('watch/:jobId')
  watch(@Param('jobId') jobId: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    parseId(jobId);
    return this.send(PAGE, request, reply);
  }

  @Head('*')
  head(@Param() params: Record<string, string>, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    return this.send(params['*'] || PAGE, request, reply);
  }

  @Get('*')
  file(@Param() params: Record<string, string>, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    return this.send(params['*'] || PAGE, request, reply);
  }

  private async send(path: string, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const file = await findStaticFile(PUBLIC_DIR, path);
    if (!file) {
      throw new SluiceError(
        'route_not_found',
        'There is nothing at this address; check the path and the method.',
      );
    }
    reply
      .type(file.type)
      .header('etag', file.etag)
      .header('cache-control', file.hashed ? 'public, max-age=31536000, immutable' : 'no-cache');
    if (file.html) {
      reply
        .header(
          'content-security-policy',
          contentSecurityPolicy(this.context.environment, request.headers.host ?? ''),
        )
        .header('referrer-policy', 'no-referrer');
    }
    if (request.headers['if-none-match'] === file.etag) return reply.code(304).send();
    reply.header('content-length', file.size);
    return request.method === 'HEAD' ? reply.send() : reply.send(file.open());
  }
}
