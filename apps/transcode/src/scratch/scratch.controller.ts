import { createReadStream } from 'node:fs';
import { Controller, Delete, Get, Inject, Param, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Environment } from '#config';
import { SCRATCH_TS_QUERY, SluiceError } from '#contracts';
import { verifySigned } from '#http';
import { ENVIRONMENT, SCRATCH } from '../tokens.js';
import type { Handover } from './handover.js';
import type { Scratch } from './scratch.js';
import { tsPathOf } from './ts-file.js';

interface Address {
  span: string;
  lease: string;
  rendition: string;
  index: string;
}

/** Where segment-upload fetches finished segments and confirms them. Only for our own services: every request is signed. */
@Controller('internal/scratch')
export class ScratchController {
  constructor(
    @Inject(SCRATCH) private readonly scratch: Scratch,
    @Inject(ENVIRONMENT) private readonly environment: Environment,
  ) {}

  @Get(':span/:lease/:rendition/:index')
  async fetch(
    @Param() address: Address,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const handover = this.find(address, request);
    const file = handover?.get(address.rendition, Number(address.index));
    const wantsTs = request.url.endsWith(SCRATCH_TS_QUERY);
    const body = file && (wantsTs ? file.payload.ts : file.payload);
    if (!file || !body) throw gone();
    reply.header('content-length', body.size);
    const path = wantsTs ? tsPathOf(file.path) : file.path;
    await reply.type('application/octet-stream').send(createReadStream(path));
  }

  @Delete(':span/:lease/:rendition/:index')
  async confirm(@Param() address: Address, @Req() request: FastifyRequest): Promise<{ success: true }> {
    const handover = this.find(address, request);
    const refused = new URL(request.url, 'http://worker').searchParams.get('refused');
    if (refused) handover?.refuse(refused.slice(0, 64));
    else await handover?.confirm(address.rendition, Number(address.index));
    return { success: true };
  }

  private find(address: Address, request: FastifyRequest): Handover | undefined {
    verifySigned(this.environment.INTERNAL_SECRET, request.method, request.url, request.headers);
    return this.scratch.find(address.span, Number(address.lease));
  }
}

const gone = () => new SluiceError('segment_not_found', 'This worker no longer has that segment.');
