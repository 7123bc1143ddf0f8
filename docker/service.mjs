/**
 * Entry point of the image: becomes the service that the first argument or SLUICE_SERVICE names, or
 * runs the operator's command of that name (libs/cli).
 * Where ADVERTISED_HOST is not given it is this container's own address: a service name would lead
 * to any of several replicas, and a segment waits in one of them.
 */
import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { services } from '../dist/services/bundle.mjs';

const service = process.argv[2] ?? process.env.SLUICE_SERVICE ?? '';

if (!Object.hasOwn(services, service) && service !== '') {
  const { COMMANDS, runCommand } = await import('../dist/libs/cli/src/main.js');
  if (Object.hasOwn(COMMANDS, service)) process.exit(await runCommand(process.argv.slice(2), process.env));
}

if (!Object.hasOwn(services, service)) {
  console.error(
    `Say which service to run, as the argument or as SLUICE_SERVICE: ${Object.keys(services).join(', ')}${service === '' ? '' : ` (not "${service}")`}.`,
  );
  process.exit(1);
}

if (!process.env.ADVERTISED_HOST) {
  const own = Object.values(networkInterfaces())
    .flat()
    .filter((entry) => !entry.internal && !entry.address.startsWith('fe80:'));
  const address = (own.find((entry) => entry.family === 'IPv4') ?? own[0])?.address;
  if (address) process.env.ADVERTISED_HOST = isIPv6(address) ? `[${address}]` : address;
}

await services[service]();
