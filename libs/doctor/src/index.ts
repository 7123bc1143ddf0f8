export { doctor } from './cli.js';
export { examine } from './examine.js';
export type { Finding, FindingState } from './finding.js';
