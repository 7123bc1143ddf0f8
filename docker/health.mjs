/** `node docker/health.mjs <service>`: exit status 0 when the service in this container is healthy. */
const service = process.argv[2] ?? process.env.SLUICE_SERVICE ?? '';
const port = process.env[`${service.toUpperCase().replaceAll('-', '_')}_PORT`];

try {
  const answer = await fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(4000) });
  const health = await answer.json();
  if (!answer.ok) console.error(`${service} is ${health.status}`);
  process.exitCode = answer.ok ? 0 : 1;
} catch (error) {
  console.error(`${service} does not answer: ${error.cause?.message ?? error.message}`);
  process.exitCode = 1;
}
