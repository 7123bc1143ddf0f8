import { loadEnvironment } from '#config';
import { run, startService } from '#http';
import { Connections } from './connections.js';
import { uploadModule } from './upload.module.js';

run(async () => {
  const environment = loadEnvironment();
  return startService({
    name: 'upload',
    port: environment.UPLOAD_PORT,
    environment,
    module: uploadModule,
    health: (app) => app.get(Connections).check(),
  });
});
