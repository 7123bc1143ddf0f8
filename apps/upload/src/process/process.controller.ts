import { Controller, HttpCode, Inject, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { ProcessData } from '#contracts';
import { demand } from '#http';
import { bytesOf, discard } from '../chunks/body.js';
import { readForm } from '../multipart/form.js';
import { MultipartService } from '../multipart/multipart.service.js';
import { UploadSettings } from '../settings.js';

/** S1-01: one request with the whole video; its job goes on when the bytes are stored. */
@Controller('process')
export class ProcessController {
  constructor(
    @Inject(MultipartService) private readonly uploads: MultipartService,
    @Inject(UploadSettings) private readonly settings: UploadSettings,
  ) {}

  @Post()
  @HttpCode(202)
  async post(@Req() request: FastifyRequest): Promise<ProcessData> {
    try {
      const by = demand(request, 'uploads:write');
      const form = readForm(request.headers, bytesOf(request.raw, this.settings.pace), FORM);
      const session = await this.uploads.receive(form, by);
      return { job_id: session.jobId, message: 'Video processing started' };
    } finally {
      await discard(request.raw, 2 * this.settings.maxChunkSize);
    }
  }
}

/** Of the fields that the other door knows only those that speak of a whole file. */
const FORM = { file: 'video', fields: ['key', 'priority', 'options', 'file_hash', 'batch_id'] };
