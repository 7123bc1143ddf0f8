/**
 * The last line of a test run, `N passed, N failed, N skipped`, and one line per skipped test, from
 * vitest's JSON report (null: it did not come to one). A failed `npm run check`, a test file that
 * could not be loaded and a run that ended badly each count as one failure.
 */
export function summarise(report, { checkFailed, status }) {
  const tests = (report?.testResults ?? []).flatMap((file) => file.assertionResults);
  const count = (...states) => tests.filter((test) => states.includes(test.status)).length;
  const brokenFiles = (report?.testResults ?? []).filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  ).length;
  let failed = count('failed') + brokenFiles + (checkFailed ? 1 : 0);
  if (status !== 0 && failed === 0) failed = 1;
  const passed = count('passed');
  const skippedTests = tests.filter((test) =>
    ['pending', 'skipped', 'todo', 'disabled'].includes(test.status),
  );
  const skipped = skippedTests.map((test) => `skipped: ${test.fullName.trim()}`);
  return { skipped, line: `${passed} passed, ${failed} failed, ${skipped.length} skipped` };
}
