// `npm test`: lint and format, build, types, then the tests. Whatever happens, the last line is
// `N passed, N failed, N skipped`; arguments go to vitest (`npm test -- test/repo.test.ts -t Node`).

import { spawnSync } from 'node:child_process'
import { closingLine } from './support/reporter.ts'

for (const check of ['lint', 'build', 'types']) {
  if (!run('npm', 'run', '--silent', check)) {
    console.error(`npm run ${check} failed, so the tests did not run`)
    console.log(closingLine(0, 1, 0))
    process.exit(1)
  }
}
const passed = run('npm', 'run', '--silent', 'test:only', '--', ...process.argv.slice(2))
process.exitCode = passed ? 0 : 1

function run(command: string, ...args: string[]): boolean {
  // On Windows npm is a shell script.
  const shell = process.platform === 'win32'
  return spawnSync(command, args, { stdio: 'inherit', shell }).status === 0
}
