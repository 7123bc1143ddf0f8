import { Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Reach } from '#contracts';
import { bytesOf } from '../chunks/body.js';
import { emptyFile, fileTooLarge } from '../files/refusals.js';
import { Rows } from '../rows.js';
import { CompletionService } from '../sessions/completion.service.js';
import { refuseUnlessActive } from '../sessions/session-row.js';
import { UploadSettings } from '../settings.js';
import { AppendService } from './append.service.js';
import { Checksum } from './checksum.js';
import { bytesHeader, hasBody, isOffsetStream, notOffsetStream, type TusAnswer } from './protocol.js';
import { beyondLength, invalid, isFinal, offsetMismatch } from './refusals.js';
import { isFinalUpload, isPartial, type UploadRow, UploadsRepository } from './uploads.repository.js';
import { type Hold, UploadWriters } from './writers.service.js';

interface Patch {
  offset: number;
  /** For an upload whose length was not known at its creation. */
  length: number | null;
  /** Bytes of the body; null when only its end tells. */
  size: number | null;
  checksum: Checksum | null;
}

/** Core: the bytes that follow what is there. */
@Injectable()
export class PatchUpload {
  constructor(
    @Inject(Rows) private readonly rows: Rows,
    @Inject(UploadsRepository) private readonly uploads: UploadsRepository,
    @Inject(UploadWriters) private readonly writers: UploadWriters,
    @Inject(AppendService) private readonly appending: AppendService,
    @Inject(CompletionService) private readonly completion: CompletionService,
    @Inject(UploadSettings) private readonly settings: UploadSettings,
  ) {}

  async handle(id: string, request: FastifyRequest, reach: Reach): Promise<TusAnswer> {
    const patch = this.parse(request);
    const before = await this.uploads.find(this.rows.manager, id, reach);
    if (isFinalUpload(before)) throw isFinal();
    if (before.status === 'completed' && !hasBody(request.headers)) return this.repeated(before, patch);
    refuseUnlessActive(before);
    const hold = await this.writers.take(id);
    try {
      return await this.append(hold, patch, request);
    } finally {
      await hold.release();
    }
  }

  private parse({ headers }: FastifyRequest): Patch {
    // "All PATCH requests MUST use Content-Type: application/offset+octet-stream, otherwise the server SHOULD return a 415."
    if (!isOffsetStream(headers)) throw notOffsetStream();
    const offset = bytesHeader(headers, 'upload-offset');
    if (offset === null) throw invalid('Upload-Offset is missing; it says where these bytes belong.');
    const checksum = Checksum.from(headers['upload-checksum']);
    const size =
      headers['transfer-encoding'] === undefined ? (bytesHeader(headers, 'content-length') ?? 0) : null;
    return { offset, length: bytesHeader(headers, 'upload-length'), size, checksum };
  }

  private async append(hold: Hold, patch: Patch, request: FastifyRequest): Promise<TusAnswer> {
    refuseUnlessActive(hold.upload);
    const offset = await this.uploads.offset(this.rows.manager, hold.upload);
    if (offset !== patch.offset) throw offsetMismatch(offset);
    if (patch.length !== null) await this.setLength(hold.upload, patch.length);
    const { fileSize } = hold.upload;
    if (fileSize !== null && offset + (patch.size ?? 0) > fileSize) throw beyondLength(fileSize);
    const bytes = bytesOf(request.raw, this.settings.pace);
    const end = await this.appending.append(hold, { bytes, offset, checksum: patch.checksum });
    // The last byte may have come before the length, or its process may have died before it could complete.
    if (end === fileSize && end === offset && !isPartial(hold.upload))
      await this.completion.complete(hold.upload.id);
    return answer(hold.upload, end);
  }

  /** "Once set the length MUST NOT be changed." */
  private async setLength(upload: UploadRow, length: number): Promise<void> {
    if (upload.fileSize === length) return;
    if (upload.fileSize !== null) throw invalid('The length of this upload is known and can not be changed.');
    if (length === 0) throw emptyFile();
    if (length > this.settings.maxFileSize) throw fileTooLarge(this.settings.maxFileSize);
    await this.rows.transaction(async (manager) => {
      const now = await this.uploads.lock(manager, upload.id);
      if (now.bytesReceived > length) throw invalid('The upload has more bytes already than this length.');
      await this.uploads.setLength(manager, upload.id, length);
    });
    upload.fileSize = length;
  }

  private repeated(upload: UploadRow, { offset }: Patch): TusAnswer {
    if (offset !== upload.bytesReceived) throw offsetMismatch(upload.bytesReceived);
    return answer(upload, offset);
  }
}

const answer = ({ fileSize, expiresAt }: UploadRow, offset: number): TusAnswer => ({
  status: 204,
  headers: {
    'upload-offset': String(offset),
    ...(offset === fileSize ? {} : { 'upload-expires': expiresAt.toUTCString() }),
  },
});
