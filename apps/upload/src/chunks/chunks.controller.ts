import type { IncomingHttpHeaders } from 'node:http';
import { Controller, HttpCode, Inject, Param, Put, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { type ChunkData, SluiceError, type Success, writesOf } from '#contracts';
import { demand, parseId } from '#http';
import { uploadPercent } from '../sessions/session-row.js';
import { UploadSettings } from '../settings.js';
import type { Adoption } from './adoption.service.js';
import { bytesOf, discard } from './body.js';
import { ChunkService } from './chunk.service.js';

/** Raw bytes by offset, in any order, in parallel, and twice (S3-06). */
@Controller('v1/upload/video/session/:id/bytes')
export class ChunksController {
  constructor(
    @Inject(ChunkService) private readonly chunks: ChunkService,
    @Inject(UploadSettings) private readonly settings: UploadSettings,
  ) {}

  @Put(':offset')
  @HttpCode(200)
  async put(
    @Param('id') id: string,
    @Param('offset') offset: string,
    @Req() request: FastifyRequest,
  ): Promise<Success<ChunkData>> {
    try {
      const reach = writesOf(demand(request, 'uploads:write'));
      const announced = {
        ...announcedBy(request.headers, this.settings.maxChunkSize),
        bytes: bytesOf(request.raw, this.settings.pace),
      };
      const adoption = await this.chunks.receive(parseId(id), parseOffset(offset), announced, reach);
      return { success: true, data: toChunkData(adoption) };
    } finally {
      await discard(request.raw, 2 * this.settings.maxChunkSize);
    }
  }
}

function toChunkData({ session, chunk, written }: Adoption): ChunkData {
  return {
    session_id: session.id,
    offset: chunk.offset,
    length: chunk.size,
    sha256: chunk.hash,
    written,
    bytes_received: session.bytesReceived,
    progress_percentage: uploadPercent(session),
    status: session.status,
  };
}

function announcedBy(headers: IncomingHttpHeaders, maximum: number): { size: number; sha256: string } {
  if (headers['content-type']?.split(';')[0]?.trim() !== 'application/octet-stream') {
    throw new SluiceError(
      'bad_request',
      'Chunks are sent as application/octet-stream; set the Content-Type header.',
    );
  }
  const sha256 = headers['x-content-sha256'];
  if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256)) {
    throw new SluiceError(
      'validation_failed',
      "X-Content-SHA256 must be the 64 lower-case hex digits of the body's SHA-256.",
    );
  }
  const size = /^\d{1,16}$/.test(headers['content-length'] ?? '') ? Number(headers['content-length']) : 0;
  if (size === 0) {
    throw new SluiceError(
      'validation_failed',
      'Content-Length must give the size of the chunk, at least one byte.',
    );
  }
  if (size > maximum) {
    throw new SluiceError(
      'chunk_too_large',
      `A chunk may have at most ${maximum} bytes; send smaller ones.`,
      {
        details: { maximum },
      },
    );
  }
  return { size, sha256 };
}

function parseOffset(value: string): number {
  const offset = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(offset)) {
    throw new SluiceError(
      'validation_failed',
      "The offset in the path must be a whole number of bytes from the file's start.",
    );
  }
  return offset;
}
