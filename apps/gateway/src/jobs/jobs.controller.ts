import {
  Body,
  Controller,
  Delete,
  Get,
  Header,
  HttpCode,
  Inject,
  Param,
  Post,
  Query,
  Req,
} from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import {
  JobListQuery,
  type JobPage,
  type JobView,
  PriorityRequest,
  type PurgedJob,
  type Reach,
  RetryRequest,
  type Scope,
  SluiceError,
  writesOf,
} from '#contracts';
import { demand, parseBody, parseId, principalOf } from '#http';
import { Cancelling } from './cancelling.js';
import { JobReader } from './job-reader.js';
import { Priority } from './priority.js';
import { Purging } from './purging.js';
import { Retrying } from './retrying.js';
import { type Sight, sightOf } from './sight.js';

/** Jobs: looked at, ended, done again, moved in the line. */
@Controller('jobs')
export class JobsController {
  constructor(
    @Inject(JobReader) private readonly jobs: JobReader,
    @Inject(Cancelling) private readonly cancelling: Cancelling,
    @Inject(Purging) private readonly purging: Purging,
    @Inject(Retrying) private readonly retrying: Retrying,
    @Inject(Priority) private readonly priority: Priority,
  ) {}

  @Get()
  @Header('cache-control', 'no-store')
  list(@Query() query: unknown, @Req() request: FastifyRequest): Promise<JobPage> {
    const principal = demand(request, 'jobs:read');
    return this.jobs.list(parseBody(JobListQuery, { ...(query as object) }), sightOf(principal));
  }

  @Get(':id')
  @Header('cache-control', 'no-store')
  async job(@Param('id') id: string, @Req() request: FastifyRequest): Promise<JobView> {
    const principal = demand(request, 'jobs:read');
    return this.jobs.view(parseId(id), null, sightOf(principal));
  }

  @Delete(':id')
  async end(
    @Param('id') id: string,
    @Query('purge') purge: unknown,
    @Req() request: FastifyRequest,
  ): Promise<JobView | PurgedJob> {
    // Who may send files may take them back (`DELETE` of a session); what is made of them is another matter.
    const scope = purge === 'true' ? 'jobs:write' : cancelScope(request);
    const { jobId, reach, sight } = await this.own(id, request, scope);
    if (purge !== undefined && purge !== 'true' && purge !== 'false')
      throw new SluiceError('validation_failed', 'purge must be true or false.');
    if (purge === 'true') return this.purging.purge(jobId, reach);
    await this.cancelling.cancel(jobId);
    return this.jobs.view(jobId, null, sight);
  }

  @Post(':id/retry')
  @HttpCode(202)
  async retry(
    @Param('id') id: string,
    @Body() body: unknown,
    @Req() request: FastifyRequest,
  ): Promise<JobView> {
    const { jobId, sight } = await this.own(id, request);
    await this.retrying.retry(jobId, parseBody(RetryRequest, body ?? {}), sight.isOperator);
    return this.jobs.view(jobId, null, sight);
  }

  @Post(':id/priority')
  @HttpCode(200)
  async move(
    @Param('id') id: string,
    @Body() body: unknown,
    @Req() request: FastifyRequest,
  ): Promise<JobView> {
    const { jobId, sight } = await this.own(id, request);
    await this.priority.set(jobId, parseBody(PriorityRequest, body).priority);
    return this.jobs.view(jobId, null, sight);
  }

  /** Throws `job_not_found` for a job that the sender may not change. */
  private async own(
    id: string,
    request: FastifyRequest,
    scope: Scope = 'jobs:write',
  ): Promise<{ jobId: string; reach: Reach; sight: Sight }> {
    const principal = demand(request, scope);
    const jobId = parseId(id);
    const reach = writesOf(principal);
    await this.jobs.assertWithin(jobId, reach);
    return { jobId, reach, sight: sightOf(principal) };
  }
}

const cancelScope = (request: FastifyRequest): Scope =>
  principalOf(request).scopes.has('uploads:write') ? 'uploads:write' : 'jobs:write';
