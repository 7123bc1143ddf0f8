import { Controller, Get, Header, Inject, Param } from '@nestjs/common';
import type { JobView } from '#contracts';
import { parseId } from '#http';
import { JobReader } from './job-reader.js';

@Controller('jobs')
export class JobsController {
  constructor(@Inject(JobReader) private readonly jobs: JobReader) {}

  @Get(':id')
  @Header('cache-control', 'no-store')
  async job(@Param('id') id: string): Promise<JobView> {
    return this.jobs.view(parseId(id));
  }
}
