/** Every peer is a process of its own: folder in argv, its port as the first line of standard output. */
import { mkdirSync } from 'node:fs';

export const directory = process.argv[2];
mkdirSync(directory, { recursive: true });

export function listen(server) {
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
}
