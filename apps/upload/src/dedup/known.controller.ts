import { Body, Controller, HttpCode, Inject, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { type KnownFileData, KnownFileRequest, type Success } from '#contracts';
import { demand, parseBody } from '#http';
import { profileOf } from '../files/profile.js';
import { Rows } from '../rows.js';
import { mayPromise } from '../sessions/granted.js';
import { UploadSettings } from '../settings.js';
import { SharedWork } from './shared-work.js';

/** The cheap question before a large file is hashed: may it be known at all (S3-08)? */
@Controller('v1/upload/video/known')
export class KnownController {
  constructor(
    @Inject(Rows) private readonly rows: Rows,
    @Inject(SharedWork) private readonly shared: SharedWork,
    @Inject(UploadSettings) private readonly settings: UploadSettings,
  ) {}

  @Post()
  @HttpCode(200)
  async ask(@Body() body: unknown, @Req() request: FastifyRequest): Promise<Success<KnownFileData>> {
    const by = demand(request, 'uploads:write');
    const { size, edges_sha256, profile, options } = parseBody(KnownFileRequest, body);
    const file = {
      tenantId: by.tenantId,
      profile: profileOf({ profile: profile ?? null, options: options ?? {} }, this.settings.profiles),
      size,
      edges: edges_sha256,
    };
    const possible = mayPromise(by) && (await this.shared.isPossible(this.rows.manager, file));
    return { success: true, data: { possible } };
  }
}
