import { Controller, Get, Headers, Inject, Param, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { demand, parseId } from '#http';
import { parseEventId, parseWish } from '../facts/following.js';
import { Streams } from './streams.js';

/** Live facts as server-sent events. */
@Controller()
export class StreamsController {
  constructor(@Inject(Streams) private readonly streams: Streams) {}

  @Get('jobs/:id/stream')
  async job(
    @Param('id') id: string,
    @Headers('last-event-id') lastEventId: string | undefined,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const principal = demand(request, 'jobs:read');
    await this.streams.job(principal, parseId(id), parseEventId(lastEventId), reply);
  }

  /** Of one session or job, or of all that is the sender's own. */
  @Get('events')
  async events(
    @Query() query: { session_id?: string; job_id?: string; last_event_id?: string },
    @Headers('last-event-id') lastEventId: string | undefined,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const principal = demand(request, 'jobs:read');
    const { session_id, job_id } = query;
    const wish =
      session_id === undefined && job_id === undefined
        ? { mine: true as const }
        : parseWish({ session_id, job_id });
    await this.streams.events(principal, wish, parseEventId(lastEventId ?? query.last_event_id), reply);
  }
}
