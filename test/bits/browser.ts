/**
 * A page in headless Chromium. In: the files that a local server gives it and a script. Out: what the script's promise
 * resolves to. `chromium` is the browser's path, undefined where there is none.
 */
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { chromium as playwright } from 'playwright-core'

const places = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser']

export const chromium = places.find((path) => path !== undefined && existsSync(path))

/** Tests of the browser are left out where there is none, and it is said; in CI they fail instead. */
export const skipBrowser = chromium === undefined && process.env.CI !== 'true'
if (skipBrowser)
  console.warn('skipped: no Chromium at CHROMIUM, /usr/bin/chromium or chromium-browser')

const quiet = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

const types: Readonly<Record<string, string>> = {
  js: 'text/javascript',
  wasm: 'application/wasm',
  html: 'text/html',
}

/** What lets a page share memory between its threads. */
const isolated = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
}

/** Runs `script`, the body of an async function, in a page at `/` beside `files`; it is isolated if it asks to be. */
export async function inBrowser(
  files: Readonly<Record<string, string | Uint8Array>>,
  script: string,
  options: { readonly isolated?: boolean } = {},
): Promise<unknown> {
  if (chromium === undefined) throw new Error('no Chromium, and CI needs one')
  const server = createServer((request, response) => {
    const name = (request.url ?? '/').slice(1)
    const body = name === '' ? '<!doctype html><title>netc</title>' : files[name]
    const type = types[name.split('.').at(-1) || 'html'] ?? 'application/octet-stream'
    const headers = { 'content-type': type, ...(options.isolated && isolated) }
    response.writeHead(body === undefined ? 404 : 200, headers).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A profile of its own, made and removed by playwright.
  const browser = await playwright.launch({ executablePath: chromium, headless: true, args: quiet })
  try {
    const page = await browser.newPage()
    const { port } = server.address() as AddressInfo
    await page.goto(`http://127.0.0.1:${port}/`)
    return await page.evaluate(`(async () => {${script}})()`)
  } finally {
    await browser.close()
    server.close()
  }
}
