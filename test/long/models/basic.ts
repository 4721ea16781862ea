/** Feed-forward networks on small data, and the exact answer that linear regression is held to. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { analyze } from '../../../compiler/compile.ts'
import { readSource } from '../../../runtime/data/index.ts'
import { leastSquares, rSquared } from '../../support/least-squares.ts'
import { atLeast, resultOf, type Task } from './task.ts'

export const iris: Task = {
  name: 'iris',
  summary: 'three species of iris: 95 % of held-out flowers',
  *run(tools) {
    const trained = tools.train('iris')
    yield resultOf('iris', 'iris', trained, 'accuracy', atLeast(0.95))
  },
}

export const regression: Task = {
  name: 'regression',
  summary: 'the mass of penguins by linear regression: the r² of the exact least-squares fit',
  async *run(tools) {
    const trained = tools.train('regression')
    // Rounding of the single-precision training may cost the last digits.
    const exact = (await closedForm()) - 1e-4
    yield resultOf('regression', 'penguins', trained, 'r2', atLeast(exact))
  },
}

export const xor: Task = {
  name: 'xor',
  summary: 'exclusive or: all four',
  *run(tools) {
    yield resultOf('xor', 'four rows', tools.train('xor'), 'accuracy', atLeast(1))
  },
}

/** r² on the test split of regression.net of the exact least-squares fit to its training split. */
async function closedForm(): Promise<number> {
  const file = 'models/regression.net'
  const { program } = analyze(readFileSync(file, 'utf8'), { file })
  if (!program) throw new Error(`${file} does not compile`)
  const open = async (path: string) => new Uint8Array(readFileSync(join('node_modules', path)))
  const [train, test] = program.data
  const fitted = await readSource(train!, open)
  const held = await readSource(test!, open, { encoding: fitted.encoding })
  const numbers = (set: typeof fitted, k: number) => Float64Array.from(set.columns[k]!.data, Number)
  const width = fitted.columns[0]!.data.length / fitted.rows
  const weights = leastSquares(numbers(fitted, 0), numbers(fitted, 1), width)
  return rSquared(numbers(held, 0), numbers(held, 1), width, weights)
}
