import type { Environment } from '#config';
import { startService } from '#http';
import { Consumers } from './consumers.js';
import { openResources, type Resources } from './resources.js';
import { SegmentUploadModule } from './segment-upload.module.js';
import { RESOURCES } from './tokens.js';

/** Starts the service that takes finished segments from the workers, stores and records them, packages and cleans up. */
export async function startSegmentUpload(environment: Environment) {
  const resources = await openResources(environment);
  return startService({
    name: 'segment-upload',
    port: environment.SEGMENT_UPLOAD_PORT,
    environment,
    module: (context) => SegmentUploadModule.with(context, resources),
    health: async (app) => {
      const { database, store, facts } = app.get<Resources>(RESOURCES);
      await Promise.all([database.query('SELECT 1'), store.check()]);
      if (!facts.isReady()) throw new Error('Redis is away');
      app.get(Consumers).assertTaking();
    },
    live: (app) => app.get(Consumers).assertAlive(),
  });
}
