import { Controller, Get, Header, HttpCode, Inject, Param, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { QuarantinedWork, Success } from '#contracts';
import { demand, parseId } from '#http';
import { Poison } from './poison.js';

/** For the operator. */
@Controller('v1/quarantine')
export class QuarantineController {
  constructor(@Inject(Poison) private readonly poison: Poison) {}

  @Get()
  @Header('cache-control', 'no-store')
  async list(@Req() request: FastifyRequest): Promise<Success<{ work: QuarantinedWork[] }>> {
    demand(request, 'operator');
    return { success: true, data: { work: await this.poison.list() } };
  }

  @Post(':id/release')
  @HttpCode(202)
  async release(
    @Param('id') id: string,
    @Req() request: FastifyRequest,
  ): Promise<Success<{ job_id: string }>> {
    demand(request, 'operator');
    return { success: true, data: { job_id: await this.poison.release(parseId(id)) } };
  }
}
