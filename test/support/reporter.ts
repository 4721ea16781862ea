// Ends a run with the line `N passed, N failed, N skipped`, for those who read nothing else.

import { writeSync } from 'node:fs'
import type { Reporter, SerializedError, TestModule } from 'vitest/node'

export function closingLine(passed: number, failed: number, skipped: number): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`
}

export default class ClosingLine implements Reporter {
  onTestRunEnd(
    modules: readonly TestModule[],
    unhandledErrors: readonly SerializedError[],
    reason: 'passed' | 'failed' | 'interrupted',
  ): void {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0 }
    for (const module of modules) {
      // A file that could not be loaded has no tests, but it has failed.
      for (const suite of [module, ...module.children.allSuites()]) {
        count.failed += suite.errors().length
      }
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        count[state === 'pending' ? 'skipped' : state]++
      }
    }
    if (reason !== 'passed' && count.failed === 0) count.failed = 1
    const line = closingLine(count.passed, count.failed, count.skipped)
    // At exit, because vitest has more to say after its reporters (errors, processes that hang).
    process.once('exit', () => writeSync(1, `${line}\n`))
  }
}
