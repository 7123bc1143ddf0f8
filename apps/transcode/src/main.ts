import { loadEnvironment } from '#config';
import { run, startService } from '#http';
import { Runtime } from './runtime.js';
import { transcodeModule } from './transcode.module.js';

run(async () => {
  const environment = loadEnvironment();
  await startService({
    name: 'transcode',
    port: environment.TRANSCODE_PORT,
    environment,
    module: transcodeModule,
    started: (app, _context, address) => app.get(Runtime).start(address),
    health: (app) => app.get(Runtime).check(),
    live: (app) => app.get(Runtime).assertAlive(),
  });
});
