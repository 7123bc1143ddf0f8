import { writeFileSync } from 'node:fs';

/**
 * Counts for the last line of `npm test`, and why tests were skipped (vitest's JSON report does not
 * say): written as JSON to the file that SLUICE_TEST_RESULTS names.
 */
export default class ResultsReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const results = { passed: 0, failed: 0, skipped: [] };
    for (const module of modules) {
      let failed = 0;
      for (const test of module.children.allTests()) {
        const { state, note } = test.result();
        if (state === 'passed') results.passed += 1;
        else if (state === 'failed') failed += 1;
        else results.skipped.push(`${test.fullName}${note ? ` (${note})` : ''}`);
      }
      // A file that could not be loaded, or whose hooks failed, has no test that says so.
      results.failed += failed || (module.state() === 'failed' ? 1 : 0);
    }
    results.failed += unhandledErrors.length;
    writeFileSync(process.env.SLUICE_TEST_RESULTS, JSON.stringify(results));
  }
}
