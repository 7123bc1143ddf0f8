import { Controller, HttpCode, Inject, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { MultipartData, Success } from '#contracts';
import { demand } from '#http';
import { bytesOf, discard } from '../chunks/body.js';
import { SessionViews } from '../sessions/session-views.js';
import { UploadSettings } from '../settings.js';
import { readForm } from './form.js';
import { MultipartService } from './multipart.service.js';

/** A whole file, or one chunk, as a form (S3-01). */
@Controller('v1/upload/video')
export class MultipartController {
  constructor(
    @Inject(MultipartService) private readonly uploads: MultipartService,
    @Inject(SessionViews) private readonly views: SessionViews,
    @Inject(UploadSettings) private readonly settings: UploadSettings,
  ) {}

  @Post()
  @HttpCode(200)
  async post(@Req() request: FastifyRequest): Promise<Success<MultipartData>> {
    try {
      const by = demand(request, 'uploads:write');
      const form = readForm(request.headers, bytesOf(request.raw, this.settings.pace), FORM);
      const session = await this.uploads.receive(form, by);
      return { success: true, data: { upload_id: session.id, ...(await this.views.of(session)) } };
    } finally {
      await discard(request.raw, 2 * this.settings.maxChunkSize);
    }
  }
}

const FORM = {
  file: 'file',
  fields: [...['session_id', 'chunk_index', 'total_chunks', 'file_hash', 'options', 'priority'], 'batch_id'],
};
