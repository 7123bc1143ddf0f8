import type { Environment } from '#config';

/** SQL: true for a row of `jobs` that need not wait for the scanner's verdict, or has it (S3-09). */
export const mayBePlanned = ({ SCAN_MODE }: Pick<Environment, 'SCAN_MODE'>): string =>
  SCAN_MODE === 'quarantine' ? `scan <> 'refused'` : `scan IN ('off', 'clean')`;
