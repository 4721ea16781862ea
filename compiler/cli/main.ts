/** The netc command: `compiler/cli/netc.cjs` starts this under a Node that is new enough. */
import { processIo } from './io.ts'
import { run } from './run.ts'

process.exitCode = await run(process.argv.slice(2), processIo())
