import { once } from 'node:events';
import { connect } from 'node:net';
import type { Environment } from '#config';
import { type Finding, failed, ok, reasonOf } from '../finding.js';

const PATIENCE_MS = 5000;

type Settings = Pick<Environment, 'SCAN_MODE' | 'CLAMD_HOST' | 'CLAMD_PORT' | 'CLAMD_SOCKET'>;

/** Asks clamd for a sign of life, where files are scanned. */
export async function checkScanner(settings: Settings): Promise<Finding[]> {
  const { SCAN_MODE, CLAMD_HOST, CLAMD_PORT, CLAMD_SOCKET } = settings;
  if (SCAN_MODE === 'off') return [];
  const where = CLAMD_SOCKET || `${CLAMD_HOST}:${CLAMD_PORT}`;
  const mend =
    'Start clamd, or correct CLAMD_HOST and CLAMD_PORT (or CLAMD_SOCKET): without it no file goes on.';
  const socket = CLAMD_SOCKET === '' ? connect(Number(CLAMD_PORT), CLAMD_HOST) : connect(CLAMD_SOCKET);
  const signal = AbortSignal.timeout(PATIENCE_MS);
  try {
    await once(socket, 'connect', { signal });
    socket.write('zPING\0');
    const [answer] = (await once(socket, 'data', { signal })) as [Buffer];
    const says = answer.toString('latin1').replaceAll('\0', '').trim();
    if (says === 'PONG') return [ok('scanner', `clamd at ${where} answers`)];
    return [failed('scanner', `${where} is no clamd: it says "${says.slice(0, 80)}"`, mend)];
  } catch (error) {
    return [failed('scanner', `${where} does not answer: ${reasonOf(error)}`, mend)];
  } finally {
    socket.destroy();
  }
}
