import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { type CreateSessionData, readsOf, type SessionData, type Success, writesOf } from '#contracts';
import { demand, parseId } from '#http';
import { Rows } from '../rows.js';
import { CompletionService } from './completion.service.js';
import { CreationService } from './creation.service.js';
import { EndingService } from './ending.service.js';
import { openOnce } from './granted.js';
import { SessionViews } from './session-views.js';
import { parseWish } from './wish.js';

/** Sessions: create, look, complete, cancel (S3-02, S3-03). */
@Controller('v1/upload/video/session')
export class SessionsController {
  constructor(
    @Inject(Rows) private readonly rows: Rows,
    @Inject(CreationService) private readonly creation: CreationService,
    @Inject(CompletionService) private readonly completion: CompletionService,
    @Inject(EndingService) private readonly ending: EndingService,
    @Inject(SessionViews) private readonly views: SessionViews,
  ) {}

  @Post()
  async create(@Body() body: unknown, @Req() request: FastifyRequest): Promise<Success<CreateSessionData>> {
    const by = demand(request, 'uploads:write');
    const opened = await openOnce(this.rows, by, () => this.creation.open(parseWish(body), by));
    return { success: true, data: this.creation.toData(opened) };
  }

  @Get(':id')
  async look(@Param('id') id: string, @Req() request: FastifyRequest): Promise<Success<SessionData>> {
    const reach = readsOf(demand(request, 'uploads:write'));
    return { success: true, data: await this.views.byId(parseId(id), reach) };
  }

  @Post(':id/complete')
  @HttpCode(200)
  async complete(@Param('id') id: string, @Req() request: FastifyRequest): Promise<Success<SessionData>> {
    const mine = await this.mine(id, request);
    return { success: true, data: await this.views.of(await this.completion.complete(mine)) };
  }

  @Delete(':id')
  async cancel(
    @Param('id') id: string,
    @Req() request: FastifyRequest,
  ): Promise<Success<SessionData> & { message: string }> {
    const session = await this.ending.cancel(await this.mine(id, request));
    return {
      success: true,
      message: 'The upload is cancelled; its chunks and what was made of them are gone.',
      data: await this.views.of(session),
    };
  }

  /** The id of a session that whoever sends this may change. */
  private async mine(id: string, request: FastifyRequest): Promise<string> {
    const reach = writesOf(demand(request, 'uploads:write'));
    return (await this.rows.sessions.find(this.rows.manager, parseId(id), reach)).id;
  }
}
