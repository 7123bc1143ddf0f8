import { Body, Controller, HttpCode, Inject, Post } from '@nestjs/common';
import { DEFAULT_TENANT, type KnownFileData, KnownFileRequest, type Success } from '#contracts';
import { parseBody } from '#http';
import { profileOf } from '../files/profile.js';
import { Rows } from '../rows.js';
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
  async ask(@Body() body: unknown): Promise<Success<KnownFileData>> {
    const { size, edges_sha256, profile, options } = parseBody(KnownFileRequest, body);
    const possible = await this.shared.isPossible(this.rows.manager, {
      tenantId: DEFAULT_TENANT,
      profile: profileOf({ profile: profile ?? null, options: options ?? {} }, this.settings.profiles),
      size,
      edges: edges_sha256,
    });
    return { success: true, data: { possible } };
  }
}
