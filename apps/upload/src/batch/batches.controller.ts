import { Body, Controller, Delete, Get, Inject, Param, Post } from '@nestjs/common';
import { type BatchData, type CreateBatchData, CreateBatchRequest, type Success } from '#contracts';
import { parseBody, parseId } from '#http';
import { BatchService } from './batch.service.js';

/** Batches: create, look, cancel (S3-12). */
@Controller('v1/upload/batch')
export class BatchesController {
  constructor(@Inject(BatchService) private readonly batches: BatchService) {}

  @Post()
  async create(@Body() body: unknown): Promise<Success<CreateBatchData>> {
    return { success: true, data: await this.batches.create(parseBody(CreateBatchRequest, body ?? {})) };
  }

  @Get(':id')
  async look(@Param('id') id: string): Promise<Success<BatchData>> {
    return { success: true, data: await this.batches.look(parseId(id)) };
  }

  @Delete(':id')
  async cancel(@Param('id') id: string): Promise<Success<BatchData> & { message: string }> {
    return {
      success: true,
      message: 'What was being sent or converted is cancelled; what was completed is still there.',
      data: await this.batches.cancel(parseId(id)),
    };
  }
}
