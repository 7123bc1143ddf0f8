import type { Provider } from '@nestjs/common';
import type { ServiceContext } from '#http';
import { Listener } from '#persistence';
import { Rows } from '../rows.js';
import { AppendService } from './append.service.js';
import { ConcatenationService } from './concatenation.service.js';
import { DeleteUpload } from './delete.js';
import { TusDoor } from './door.js';
import { HeadUpload } from './head.js';
import { Locations } from './locations.js';
import { OptionsOfUploads } from './options.js';
import { PartialsService } from './partials.service.js';
import { PatchUpload } from './patch.js';
import { PostUpload } from './post.js';
import { UploadsRepository } from './uploads.repository.js';
import { LET_GO_CHANNEL, UploadWriters } from './writers.service.js';

export const tusProviders = ({ name, environment }: ServiceContext): Provider[] => [
  ...[TusDoor, OptionsOfUploads, PostUpload, HeadUpload, PatchUpload, DeleteUpload],
  ...[UploadsRepository, AppendService, PartialsService, ConcatenationService],
  { provide: Locations, useFactory: () => new Locations(environment.PUBLIC_UPLOAD_URL) },
  {
    provide: UploadWriters,
    useFactory: (rows: Rows, uploads: UploadsRepository) =>
      new UploadWriters(
        rows,
        uploads,
        (hear) =>
          new Listener({ databaseUrl: environment.DATABASE_URL, name, channel: LET_GO_CHANNEL, hear }),
      ),
    inject: [Rows, UploadsRepository],
  },
];
