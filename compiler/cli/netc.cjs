#!/usr/bin/env node
// Starts the command line. Old engines must be able to parse this file: it hands over to a newer
// Node when the one that runs it is too old for netc itself, and says what to do when there is none.

const childProcess = require('child_process')
const fs = require('fs')
const path = require('path')
const url = require('url')

const root = path.join(__dirname, '..', '..')
const main = path.join(root, 'dist', 'compiler', 'cli', 'main.js')

if (!fs.existsSync(main)) {
  fail(`it is not built yet: run \`npm ci\` or \`npm run build\` in ${root}`)
} else if (isSuitable(process.versions.node)) {
  process.argv[1] = main
  import(url.pathToFileURL(main).href)
} else {
  handOver(pinnedNode())
}

function isSuitable(version) {
  const parts = version.split('.').map(Number)
  return parts[0] > 22 || (parts[0] === 22 && parts[1] >= 12)
}

/** The Node that npm's package `node` brings; undefined if it is not installed beside netc. */
function pinnedNode() {
  try {
    const folder = path.dirname(require.resolve('node/package.json', { paths: [root] }))
    const file = path.join(folder, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
    return fs.existsSync(file) ? file : undefined
  } catch (_) {
    return undefined
  }
}

/** Runs netc in another Node, passing signals on and taking over its exit code. */
function handOver(node) {
  if (!node) {
    fail(`it needs Node 22.12 or newer, and this is ${process.versions.node}.
Install a newer Node from https://nodejs.org, or put one beside netc: npm install node@24`)
  }
  const child = childProcess.spawn(node, [main].concat(process.argv.slice(2)), { stdio: 'inherit' })
  child.on('error', (error) => fail(`cannot start ${node}: ${error.message}`))
  // At a terminal Ctrl-C reaches the child by itself: passing it on would count as a second one.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'))
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  process.on('SIGHUP', () => child.kill('SIGHUP'))
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

function fail(message) {
  console.error(`netc: ${message}`)
  process.exit(2)
}
