import { Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { type Principal, SluiceError } from '#contracts';
import { bytesOf } from '../chunks/body.js';
import { emptyFile } from '../files/refusals.js';
import { CreationService } from '../sessions/creation.service.js';
import { EndingService } from '../sessions/ending.service.js';
import { openNew } from '../sessions/granted.js';
import type { AnySessionRow } from '../sessions/session-row.js';
import { UploadSettings } from '../settings.js';
import { AppendService } from './append.service.js';
import { Checksum } from './checksum.js';
import { parseConcat } from './concat.js';
import { ConcatenationService } from './concatenation.service.js';
import { Locations } from './locations.js';
import { wishOf } from './metadata.js';
import { PartialsService } from './partials.service.js';
import { bytesHeader, hasBody, isOffsetStream, notOffsetStream, type TusAnswer } from './protocol.js';
import { invalid } from './refusals.js';
import { UploadsRepository } from './uploads.repository.js';
import { UploadWriters } from './writers.service.js';

/** Creation, creation-with-upload, creation-defer-length, concatenation. */
@Injectable()
export class PostUpload {
  constructor(
    @Inject(CreationService) private readonly creation: CreationService,
    @Inject(PartialsService) private readonly partials: PartialsService,
    @Inject(ConcatenationService) private readonly concatenation: ConcatenationService,
    @Inject(UploadsRepository) private readonly uploads: UploadsRepository,
    @Inject(UploadWriters) private readonly writers: UploadWriters,
    @Inject(AppendService) private readonly appending: AppendService,
    @Inject(EndingService) private readonly ending: EndingService,
    @Inject(Locations) private readonly locations: Locations,
    @Inject(UploadSettings) private readonly settings: UploadSettings,
  ) {}

  async handle(request: FastifyRequest, by: Principal): Promise<TusAnswer> {
    const { headers } = request;
    const concat = parseConcat(headers['upload-concat']);
    const length = bytesHeader(headers, 'upload-length');
    const metadata = String(headers['upload-metadata'] ?? '');
    if (concat?.kind === 'final') {
      // "The Client MUST NOT include the Upload-Length header in the final upload creation."
      if (length !== null) throw invalid('The length of a final upload is that of its parts; leave it out.');
      const session = await this.concatenation.open({
        wish: wishOf(metadata, this.settings.extensions),
        partials: concat.partials,
        said: { metadata, concat: String(headers['upload-concat']) },
        by,
      });
      return this.answer(session);
    }
    refuseUnlessMeasured(length, headers['upload-defer-length']);
    const sends = hasBody(headers);
    if (sends && !isOffsetStream(headers)) throw notOffsetStream();
    const checksum = Checksum.from(headers['upload-checksum']);
    const session = concat ? await this.partials.open(length, by) : await this.open(metadata, length, by);
    if (!sends || session.status === 'completed') return this.answer(session);
    const offset = await this.append(session, request, checksum);
    return this.answer({ ...session, bytesReceived: offset }, offset);
  }

  private async open(metadata: string, size: number | null, by: Principal): Promise<AnySessionRow> {
    const wish = { ...wishOf(metadata, this.settings.extensions), size };
    const { session } = await openNew(() =>
      this.creation.open(wish, by, undefined, (manager, opened) =>
        this.uploads.describe(manager, opened.session.id, { metadata, concat: null }),
      ),
    );
    return session;
  }

  /** Whose bytes are refused never hears of its upload: it goes. */
  private async append(
    session: AnySessionRow,
    request: FastifyRequest,
    checksum: Checksum | null,
  ): Promise<number> {
    const hold = await this.writers.take(session.id);
    try {
      return await this.appending.append(hold, {
        bytes: bytesOf(request.raw, this.settings.pace),
        offset: 0,
        checksum,
      });
    } catch (error) {
      if (error instanceof SluiceError) {
        if (session.jobId === null) await this.partials.cancel(session.id);
        else await this.ending.refuse(session.id, error);
      }
      throw error;
    } finally {
      await hold.release();
    }
  }

  private answer(session: AnySessionRow, offset?: number): TusAnswer {
    const isWhole = session.status === 'completed' || session.bytesReceived === session.fileSize;
    return {
      status: 201,
      headers: {
        location: this.locations.of(session.id),
        ...(offset === undefined && !isWhole ? {} : { 'upload-offset': String(session.bytesReceived) }),
        ...(isWhole ? {} : { 'upload-expires': session.expiresAt.toUTCString() }),
      },
    };
  }
}

/** "The request MUST include one of: Upload-Length or Upload-Defer-Length", which "MUST be 1". */
function refuseUnlessMeasured(length: number | null, deferred: string | string[] | undefined): void {
  if (deferred !== undefined && deferred !== '1') throw invalid('Upload-Defer-Length can only be 1.');
  if ((length === null) === (deferred === undefined)) {
    throw invalid('Send either Upload-Length, or Upload-Defer-Length: 1 when the length is not known yet.');
  }
  if (length === 0) throw emptyFile();
}
