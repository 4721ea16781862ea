/** netc on several threads, as netc.ts otherwise. */
import { readFileSync } from 'node:fs'
import { load } from '../../runtime/threads/index.ts'
import { runOf } from './netc.ts'
import type { Engine } from './types.ts'

const engine: Engine = {
  async create(job) {
    const { folder, build, threads } = job
    const module = readFileSync(`${folder}/${build}.threads.wasm`)
    // A workload that is too small for threads runs on one, and says so.
    return runOf(await load({ threads: module }, { threads }), job)
  },
}

export default engine
