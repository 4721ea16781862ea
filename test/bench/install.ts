/** Installs the rivals in test/bench on first use, and again when their lock file has changed. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const lock = `${here}package-lock.json`
const seen = `${here}node_modules/.installed-lock`

export function installRivals(): void {
  if (existsSync(seen) && readFileSync(seen, 'utf8') === readFileSync(lock, 'utf8')) return
  console.error('installing the rivals in test/bench (npm ci), once …')
  const { status } = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: here,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  })
  if (status !== 0) {
    console.error(
      'npm ci in test/bench failed, see above. `npm run bench -- --rivals none` measures netc alone.',
    )
    process.exit(1)
  }
  copyFileSync(lock, seen)
}
