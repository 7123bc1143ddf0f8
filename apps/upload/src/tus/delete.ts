import { Inject, Injectable } from '@nestjs/common';
import type { Reach } from '#contracts';
import { Rows } from '../rows.js';
import { EndingService } from '../sessions/ending.service.js';
import { refuseUnlessActive } from '../sessions/session-row.js';
import { PartialsService } from './partials.service.js';
import type { TusAnswer } from './protocol.js';
import { isPartial, UploadsRepository } from './uploads.repository.js';
import { UploadWriters } from './writers.service.js';

/** Termination: what was sent, and what was made of it, goes. */
@Injectable()
export class DeleteUpload {
  constructor(
    @Inject(Rows) private readonly rows: Rows,
    @Inject(UploadsRepository) private readonly uploads: UploadsRepository,
    @Inject(UploadWriters) private readonly writers: UploadWriters,
    @Inject(PartialsService) private readonly partials: PartialsService,
    @Inject(EndingService) private readonly ending: EndingService,
  ) {}

  async handle(id: string, reach: Reach): Promise<TusAnswer> {
    const upload = await this.uploads.find(this.rows.manager, id, reach);
    if (upload.status !== 'completed') refuseUnlessActive(upload);
    if (isPartial(upload)) await this.partials.cancel(id);
    else await this.ending.cancel(id);
    // Who still writes finds that there is nothing to write to; sooner when it is told.
    await this.writers.ask(upload);
    return { status: 204, headers: {} };
  }
}
