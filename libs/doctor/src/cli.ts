import { examine } from './examine.js';
import type { Finding, FindingState } from './finding.js';

const MARKS: Record<FindingState, string> = { ok: 'ok     ', warning: 'warning', failed: 'FAILED ' };

/** `npm run sluice -- doctor [--json]`: exit status 0 unless something is so that Sluice cannot work. */
export async function doctor(args: string[], environment: NodeJS.ProcessEnv): Promise<number> {
  const unknown = args.find((argument) => argument !== '--json');
  if (unknown !== undefined) {
    process.stderr.write(`There is no option ${unknown}; doctor takes --json.\n`);
    return 2;
  }
  const findings = await examine(environment);
  const text = args.includes('--json') ? JSON.stringify({ findings }, null, 2) : asText(findings);
  await new Promise<void>((resolve) => process.stdout.write(`${text}\n`, () => resolve()));
  return findings.some(({ state }) => state === 'failed') ? 1 : 0;
}

function asText(findings: Finding[]): string {
  const width = Math.max(...findings.map(({ part }) => part.length));
  const lines = findings.map(
    ({ part, state, says, mend }) =>
      `${MARKS[state]} ${part.padEnd(width)}  ${says}${mend === undefined ? '' : `\n        ${' '.repeat(width)}  → ${mend}`}`,
  );
  const count = (wanted: FindingState) => findings.filter(({ state }) => state === wanted).length;
  return [...lines, '', `${count('failed')} failed, ${count('warning')} warnings, ${count('ok')} ok`].join(
    '\n',
  );
}
