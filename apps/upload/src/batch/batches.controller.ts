import { Body, Controller, Delete, Get, Inject, Param, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { type BatchData, type CreateBatchData, CreateBatchRequest, type Success } from '#contracts';
import { demand, parseBody, parseId } from '#http';
import { BatchService } from './batch.service.js';

/** Batches: create, look, cancel (S3-12). */
@Controller('v1/upload/batch')
export class BatchesController {
  constructor(@Inject(BatchService) private readonly batches: BatchService) {}

  @Post()
  async create(@Body() body: unknown, @Req() request: FastifyRequest): Promise<Success<CreateBatchData>> {
    const by = demand(request, 'uploads:write');
    return { success: true, data: await this.batches.create(parseBody(CreateBatchRequest, body ?? {}), by) };
  }

  @Get(':id')
  async look(@Param('id') id: string, @Req() request: FastifyRequest): Promise<Success<BatchData>> {
    const by = demand(request, 'uploads:write');
    return { success: true, data: await this.batches.look(parseId(id), by) };
  }

  @Delete(':id')
  async cancel(
    @Param('id') id: string,
    @Req() request: FastifyRequest,
  ): Promise<Success<BatchData> & { message: string }> {
    const by = demand(request, 'uploads:write');
    return {
      success: true,
      message: 'What was being sent or converted is cancelled; what was completed is still there.',
      data: await this.batches.cancel(parseId(id), by),
    };
  }
}
