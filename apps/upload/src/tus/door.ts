import { Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { ANYBODYS, readsOf, SluiceError, writesOf } from '#contracts';
import { demand, parseId } from '#http';
import { Rows } from '../rows.js';
import { EndingService } from '../sessions/ending.service.js';
import { DeleteUpload } from './delete.js';
import { HeadUpload } from './head.js';
import { OptionsOfUploads } from './options.js';
import { PartialsService } from './partials.service.js';
import { PatchUpload } from './patch.js';
import { PostUpload } from './post.js';
import { refuseOtherVersions, type TusAnswer, type TusMethod } from './protocol.js';
import { uploadNotFound } from './refusals.js';
import { isPartial, UploadsRepository } from './uploads.repository.js';

/** Which verb answers. */
@Injectable()
export class TusDoor {
  constructor(
    @Inject(OptionsOfUploads) private readonly options: OptionsOfUploads,
    @Inject(PostUpload) private readonly post: PostUpload,
    @Inject(HeadUpload) private readonly head: HeadUpload,
    @Inject(PatchUpload) private readonly patch: PatchUpload,
    @Inject(DeleteUpload) private readonly remove: DeleteUpload,
    @Inject(Rows) private readonly rows: Rows,
    @Inject(UploadsRepository) private readonly uploads: UploadsRepository,
    @Inject(EndingService) private readonly ending: EndingService,
    @Inject(PartialsService) private readonly partials: PartialsService,
  ) {}

  async answer(method: TusMethod, id: string | null, request: FastifyRequest): Promise<TusAnswer> {
    if (method === 'OPTIONS') return this.options.handle();
    refuseOtherVersions(request.headers);
    const by = demand(request, 'uploads:write');
    if (id === null) {
      if (method === 'POST') return this.post.handle(request, by);
      throw notHere('Uploads are created here with POST; everything else is asked at their own address.');
    }
    if (method === 'POST') throw notHere('Uploads are created one level up; this address is one of them.');
    const upload = uploadId(id);
    try {
      if (method === 'HEAD') return await this.head.handle(upload, readsOf(by));
      if (method === 'PATCH') return await this.patch.handle(upload, request, writesOf(by));
      return await this.remove.handle(upload, writesOf(by));
    } catch (error) {
      if (error instanceof SluiceError && error.code === 'session_expired') await this.expire(upload);
      throw error;
    }
  }

  /** Who meets an overdue upload ends it; which kind it is only its row knows. */
  private async expire(id: string): Promise<void> {
    const upload = await this.uploads.find(this.rows.manager, id, ANYBODYS);
    if (isPartial(upload)) await this.partials.expire(id);
    else await this.ending.expire(id);
  }
}

/** A malformed id is an address where nothing is: clients create a new upload after a 404. */
function uploadId(text: string): string {
  try {
    return parseId(text);
  } catch {
    throw uploadNotFound();
  }
}

const notHere = (message: string) => new SluiceError('method_not_allowed', message);
