import { Inject, Injectable } from '@nestjs/common';
import type { Reach } from '#contracts';
import { Rows } from '../rows.js';
import { refuseUnlessActive } from '../sessions/session-row.js';
import type { TusAnswer } from './protocol.js';
import { UploadsRepository } from './uploads.repository.js';
import { UploadWriters } from './writers.service.js';

/** Core: where an upload goes on. Who still writes to it is asked to let go first, so that the answer holds. */
@Injectable()
export class HeadUpload {
  constructor(
    @Inject(Rows) private readonly rows: Rows,
    @Inject(UploadsRepository) private readonly uploads: UploadsRepository,
    @Inject(UploadWriters) private readonly writers: UploadWriters,
  ) {}

  async handle(id: string, reach: Reach): Promise<TusAnswer> {
    await this.uploads.find(this.rows.manager, id, reach);
    const upload = await this.writers.quiet(id);
    if (upload.status !== 'completed') refuseUnlessActive(upload);
    const offset = await this.uploads.offset(this.rows.manager, upload);
    return {
      status: 200,
      headers: {
        // "The Server MUST prevent the client and/or proxies from caching the response."
        'cache-control': 'no-store',
        'upload-offset': String(offset),
        ...(upload.fileSize === null
          ? { 'upload-defer-length': '1' }
          : { 'upload-length': String(upload.fileSize) }),
        ...(upload.metadata === '' ? {} : { 'upload-metadata': upload.metadata }),
        ...(upload.concat === null ? {} : { 'upload-concat': upload.concat }),
        ...(upload.status === 'active' ? { 'upload-expires': upload.expiresAt.toUTCString() } : {}),
      },
    };
  }
}
