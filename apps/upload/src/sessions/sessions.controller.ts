import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import type { CreateSessionData, SessionData, Success } from '#contracts';
import { parseId } from '#http';
import { CompletionService } from './completion.service.js';
import { CreationService } from './creation.service.js';
import { EndingService } from './ending.service.js';
import { SessionViews } from './session-views.js';
import { parseWish } from './wish.js';

/** Sessions: create, look, complete, cancel (S3-02, S3-03). */
@Controller('v1/upload/video/session')
export class SessionsController {
  constructor(
    @Inject(CreationService) private readonly creation: CreationService,
    @Inject(CompletionService) private readonly completion: CompletionService,
    @Inject(EndingService) private readonly ending: EndingService,
    @Inject(SessionViews) private readonly views: SessionViews,
  ) {}

  @Post()
  async create(@Body() body: unknown): Promise<Success<CreateSessionData>> {
    const opened = await this.creation.open(parseWish(body));
    return { success: true, data: this.creation.toData(opened) };
  }

  @Get(':id')
  async look(@Param('id') id: string): Promise<Success<SessionData>> {
    return { success: true, data: await this.views.byId(parseId(id)) };
  }

  @Post(':id/complete')
  @HttpCode(200)
  async complete(@Param('id') id: string): Promise<Success<SessionData>> {
    return { success: true, data: await this.views.of(await this.completion.complete(parseId(id))) };
  }

  @Delete(':id')
  async cancel(@Param('id') id: string): Promise<Success<SessionData> & { message: string }> {
    const session = await this.ending.cancel(parseId(id));
    return {
      success: true,
      message: 'The upload is cancelled; its chunks and what was made of them are gone.',
      data: await this.views.of(session),
    };
  }
}
