/**
 * The last lines of a test run: why each skipped test was, and `N passed, N failed, N skipped`.
 * `results` is what results-reporter.mjs wrote; null when the run did not come to its end, which is a
 * failure, as is a failed `npm run check`. `status` is the exit status of `npm test`.
 */
export function summarise(results, { checkFailed, runStatus }) {
  const { passed, failed, skipped } = results ?? { passed: 0, failed: 0, skipped: [] };
  let failures = failed + (checkFailed ? 1 : 0);
  if (failures === 0 && (runStatus !== 0 || results === null)) failures = 1;
  return {
    lines: [
      ...skipped.map((test) => `skipped: ${test}`),
      `${passed} passed, ${failures} failed, ${skipped.length} skipped`,
    ],
    status: failures === 0 ? 0 : 1,
  };
}
