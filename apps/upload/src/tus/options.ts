import { Inject, Injectable } from '@nestjs/common';
import { UploadSettings } from '../settings.js';
import { capabilities, type TusAnswer } from './protocol.js';

/** Core: what this server can do. "The Client SHOULD NOT include the Tus-Resumable header, and the Server MUST ignore it." */
@Injectable()
export class OptionsOfUploads {
  constructor(@Inject(UploadSettings) private readonly settings: UploadSettings) {}

  handle(): TusAnswer {
    return { status: 204, headers: capabilities(this.settings.maxFileSize) };
  }
}
