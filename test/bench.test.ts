/**
 * The benchmark without its rivals and without a clock: every network trains on its data, what is fed to all is the
 * same every time, an engine that computes something else is found out, and the reports have their parts.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { load } from '../runtime/index.ts'
import { own, together } from './bench/engines.ts'
import { compileWorkload, inputsOf } from './bench/prepare.ts'
import {
  compileTimes,
  fault,
  type Line,
  lineOf,
  median,
  ranksAgree,
  replaceMarked,
  rising,
  showLine,
  tables,
} from './bench/report.ts'
import { Graph, transposed } from './bench/rivals/onnx.ts'
import { scaleLines } from './bench/scale-lines.ts'
import { charts, faults, picture, type ScalePoint, scaleTable } from './bench/scale-report.ts'
import type { Measured } from './bench/types.ts'
import { batchCount, batchesFor, type Workload, workloads } from './bench/workloads.ts'

async function loaded({ network, entry }: Workload, dims: Workload['dims']) {
  const { relaxed } = compileWorkload({ network, entry, dims } as Workload, {
    targets: ['relaxed'],
  })
  const model = await load(relaxed!.wasm as BufferSource)
  model.init(1)
  return { model, inputs: inputsOf(relaxed!.manifest, entry) }
}

describe('netc learns', () => {
  const trainings = workloads.filter((w) => w.kind === 'train' && w.id !== 'W1-128')
  test.each(trainings)('$id', async (workload) => {
    const { entry, turns } = workload
    const dims = { ...workload.dims, ...workload.small }
    const { model, inputs } = await loaded(workload, dims)
    const batches = batchesFor(inputs, batchCount)
    const values = []
    for (let k = 0; k <= turns * batchCount; k++) {
      values.push([model.train[entry]!(batches[k % batchCount]!).loss!])
    }
    expect(rising({ values } as unknown as Measured)).toBeUndefined()
  })
})

test('the product of matrices is one', async () => {
  const workload = workloads.find((w) => w.network === 'matmul')!
  const { model, inputs } = await loaded(workload, { n: 5 })
  const [feeds] = batchesFor(inputs, 1)
  const { a, b } = feeds as { a: Float32Array; b: Float32Array }
  const { c } = model.predict.product!(feeds!) as { c: Float32Array }
  const at = (i: number, j: number): number =>
    [0, 1, 2, 3, 4].reduce((sum, k) => sum + a[5 * i + k]! * b[5 * k + j]!, 0)
  for (let i = 0; i < 25; i++) expect(c[i]).toBeCloseTo(at(Math.floor(i / 5), i % 5), 5)
})

test('networks that predict have the entry that is asked for', async () => {
  const { inputs } = await loaded(workloads.find((w) => w.id === 'W3-infer')!, { batch: 1 })
  expect(inputs.map((i) => [i.name, i.shape])).toEqual([['image', [1, 784]]])
})

describe('data', () => {
  const inputs = [
    { name: 'ids', shape: [3, 8] },
    { name: 'next', shape: [3, 8] },
  ]
  test('is the same every time, and batches differ', () => {
    const [first, second] = batchesFor(inputs, 2)
    expect(batchesFor(inputs, 1)[0]).toEqual(first)
    expect(second).not.toEqual(first)
  })
  test('the next characters are those behind', () => {
    const { ids, next } = batchesFor(inputs, 1)[0]!
    for (let n = 0; n < 3; n++) {
      expect(next!.subarray(8 * n, 8 * n + 7)).toEqual(ids!.subarray(8 * n + 1, 8 * n + 8))
    }
  })
})

const measured = (ms: number, values: number[][] = [[2], [1]]): Measured => ({
  ms,
  values,
  first: 20,
  started: 50,
  memory: 64,
})
const setting = {
  workload: 'W1',
  threads: 1,
  trains: true,
  flops: 4e7,
  peak: 40,
  bytes: 20_100,
  compiled: 500,
}

describe('reports', () => {
  const netc = [measured(2), measured(4), measured(2)]
  const mine = lineOf({ ...setting, engine: 'netc', build: 'relaxed' }, netc, netc)
  const other = lineOf(
    { ...setting, engine: 'tfjs', build: 'wasm' },
    [measured(20), measured(20), measured(30)],
    netc,
  )

  test('medians, rates and ratios pair by pair', () => {
    expect(mine).toMatchObject({ median_ms: 2, gflops: 20, peak_share: 0.5, ratio: 1, threads: 1 })
    expect(other).toMatchObject({ median_ms: 20, ratio: 10, ratios: [10, 5, 15] })
    expect([other.loss_first, other.loss_last]).toEqual([2, 1])
  })

  test('the median of an even number is between the middle ones', () => {
    expect(median([4, 1, 9, 2])).toBe(3)
    expect(median([7, 1, 2])).toBe(2)
  })

  test('the line says all of it', () => {
    expect(showLine(other)).toContain('2.0 GFLOP/s')
    expect(showLine(other)).toContain('ratio 10.00 (10.00 5.00 15.00)')
    expect(showLine(other)).toContain('20 KB')
  })

  test('an engine that computes something else is found out', () => {
    expect(fault(measured(1, [[2], [1]]), netc[0]!, true)).toBeUndefined()
    expect(fault(measured(1, [[2.01], [1]]), netc[0]!, true)).toMatch('the loss of step 1 is 2.01')
    expect(fault(measured(1, [[2], [1.1]]), netc[0]!, true)).toMatch('the loss of step 2')
    expect(fault(measured(1, [[Number.NaN], [1]]), netc[0]!, true)).toMatch('NaN')
    expect(rising(measured(1, [[2], [2.5]]))).toMatch('does not fall')
  })

  test('the tables have a column for each who ran', () => {
    const engines = [
      ...own,
      { name: 'nobody', build: 'wasm', title: 'another' },
      { name: 'tfjs', build: 'wasm', title: 'another' },
    ]
    const titles = { workloads, engines }
    const text = tables([mine, other], titles)
    const [head, rule, row, nothing] = text.split('\n')
    expect(head).toBe('|  | netc `relaxed` | another |')
    expect(rule).toMatch(/^(\| --- )+\|$/)
    expect(row).toContain('2.00 ms, 20.0 GFLOP/s, 50 %')
    expect(row).toContain('20.0 ms (10.0 ×)')
    expect(nothing).toBe('')
    expect(compileTimes([mine, other])).toBe('Compiled, both builds: W1 500 ms.')
    expect(text).toContain('| bytes to download, gzip | 20 KB | 20 KB |')
  })

  test('orders agree from 1 to -1, ties share a rank', () => {
    expect(ranksAgree([1, 5, 9], [2, 3, 4])).toBe(1)
    expect(ranksAgree([1, 5, 9], [4, 3, 2])).toBe(-1)
    expect(ranksAgree([1, 2, 2, 3], [1, 2, 3, 4])).toBeCloseTo(0.949, 3)
  })

  test('netc on threads has a column of its own, and its share is of as many peaks', () => {
    const own2 = together(2)
    const of = { ...setting, engine: 'netc', build: 'relaxed', threads: 2, compiled: null }
    const line = lineOf({ ...of, bytes: null, peak: 80 }, [measured(1)], netc)
    const text = tables([mine, line], { workloads, engines: [...own, own2] })
    expect(text).toContain('| netc `relaxed` | netc `relaxed`, 2 threads |')
    expect(text).toContain('| 2.00 ms, 20.0 GFLOP/s, 50 % | 1.00 ms, 40.0 GFLOP/s, 50 % |')
    expect(compileTimes([mine, line])).toBe('Compiled, both builds: W1 500 ms.')
    expect(showLine(line)).toContain('netc relaxed × 2')
  })

  test('a table replaces what stands between its marks, and nothing else', () => {
    const text = 'a\n<!-- bench -->\nold\n<!-- /bench -->\nb\n'
    const once = replaceMarked(text, 'new')
    expect(once).toBe('a\n<!-- bench -->\nnew\n<!-- /bench -->\nb\n')
    expect(replaceMarked(once, 'new')).toBe(once)
    expect(() => replaceMarked('nothing here', 'new')).toThrow('<!-- bench -->')
    expect(replaceMarked(readFileSync('README.md', 'utf8'), 'new')).toContain('\nnew\n')
  })
})

describe('ONNX models', () => {
  test('are protobuf as the format has it', () => {
    const graph = new Graph()
    graph.input({ name: 'x', type: 'f32', shape: [300] })
    graph.run('Scale', ['x'], ['y'], { by: -1, eps: { float: 1 } }, 'd')
    graph.output({ name: 'y', type: 'bool' })
    const hex = Buffer.from(graph.encode()).toString('hex')
    // node { input, output, name, op_type, attribute: by = -1 (64 bits of ones), eps = 1.0; domain }
    const attributes = '2a120a02627918ffffffffffffffffff01a00102' + '2a0d0a03657073150000803fa00101'
    const node = `0a01781201791a075363616c655f3122055363616c65${attributes}3a0164`
    expect(hex).toContain(node)
    // input x: tensor { float, shape { 300 as a varint } }; output y: tensor { bool }
    expect(hex).toContain('0a0178120b0a09080112050a0308ac02')
    expect(hex).toContain('0a017912040a020809')
    expect(hex.startsWith('08083a')).toBe(true)
  })

  test('get tensors with their axes in another order', () => {
    const data = Float32Array.from({ length: 24 }, (_, k) => k)
    const turned = transposed({ shape: [2, 3, 4], data }, [2, 0, 1])
    expect(turned.shape).toEqual([4, 2, 3])
    for (let i = 0; i < 4; i++) {
      for (let j = 0; j < 2; j++) {
        for (let k = 0; k < 3; k++) {
          expect(turned.data[6 * i + 3 * j + k]).toBe(12 * j + 4 * k + i)
        }
      }
    }
  })
})

test('the command prints a JSON line for each build, and the peak', () => {
  const options = [
    '--only',
    'W2',
    '--rivals',
    'none',
    '--rounds',
    '1',
    '--seconds',
    '0.02',
    '--json',
  ]
  const out = execFileSync(process.execPath, ['test/bench/main.ts', ...options], {
    encoding: 'utf8',
  })
  const [relaxed, simd, peak] = out
    .trimEnd()
    .split('\n')
    .map((l) => JSON.parse(l)) as [Line, Line, object]
  for (const line of [relaxed, simd]) {
    expect(line).toMatchObject({ workload: 'W2', engine: 'netc', threads: 1 })
    for (const key of [
      'median_ms',
      'gflops',
      'peak_share',
      'ratio',
      'first_step_ms',
      'peak_mb',
    ] as const) {
      expect(line[key]).toBeGreaterThan(0)
    }
    expect(line.loss_last).toBeLessThan(line.loss_first!)
    expect(line.start_ms).toBeGreaterThan(line.first_step_ms)
    // The module of a tiny network and the runtime: kilobytes, not hundreds.
    expect(line.gzip_bytes).toBeGreaterThan(5_000)
    expect(line.gzip_bytes).toBeLessThan(30_000)
  }
  expect([relaxed.build, simd.build]).toEqual(['relaxed', 'simd'])
  expect(relaxed.ratios).toEqual([1])
  expect(peak).toMatchObject({ event: 'peak' })
})

test('no rival is a dependency of netc', () => {
  const read = (file: string) => JSON.parse(readFileSync(file, 'utf8'))
  const own = read('package.json')
  const names = Object.keys(read('test/bench/package.json').dependencies)
  expect(names.length).toBeGreaterThan(0)
  for (const name of names) {
    expect(own.dependencies).not.toHaveProperty([name])
    expect(own.devDependencies).not.toHaveProperty([name])
  }
  const { packages } = read('test/bench/package-lock.json') as { packages: Record<string, object> }
  expect(Object.values(packages).filter((p) => 'resolved' in p)).toEqual([])
})

describe('how cost grows', () => {
  const line = scaleLines.find((l) => l.id === 'depth')!
  const point = (size: number, more: Partial<ScalePoint> = {}): ScalePoint => ({
    line: 'depth',
    size,
    threads: 1,
    parameters: 5e7 * size,
    flops: 1e9 * size,
    ms: 50 * size,
    gflops: 20,
    peak_share: 0.5,
    compile_ms: 1000 + 100 * size,
    module_bytes: 100_000 + 9_000 * size,
    planned_bytes: 3e6 * size,
    memory_bytes: 3e6 * size + 60_000,
    resident_bytes: 0,
    loss_first: 4,
    loss_last: 3,
    ...more,
  })

  test('linear growth is no fault, with a part that stays', () => {
    expect(faults(line, [point(1), point(2), point(64)])).toEqual([])
  })

  test('what grows more is named', () => {
    const points = [
      point(2),
      point(4, { gflops: 15.8, compile_ms: 2700, loss_last: 5 }),
      point(8, { module_bytes: 300_000, memory_bytes: 40e6 }),
    ]
    expect(faults(line, points)).toEqual([
      'depth: at depth 4 GFLOP/s are 21 % below those at 2',
      'depth: at depth 4 compile time is 2.25 times that at 2',
      'depth: at depth 4 the loss does not fall: 4 to 5',
      'depth: at depth 8 the module is 2.21 times that at 4',
      'depth: at depth 8 the memory is 40.0 MB, planned 24.0 MB',
    ])
  })

  test('a table and a picture of it', () => {
    const points = [point(1), point(2)]
    const [head, , row] = scaleTable(points).split('\n')
    expect(head).toMatch(/^\| size \| parameters \| step \| GFLOP\/s /)
    expect(row).toContain('| 1 | 50.0 M | 50.0 ms | 20.0 | 50 % | 1.10 s | 109 KB | 3.0 MB |')
    const drawn = charts(line, points, 40)
    expect(drawn.map((c) => c.series.length)).toEqual([1, 2, 2])
    expect(picture(line, drawn)).toMatch(/^<svg[\s\S]*GFLOP\/s[\s\S]*<\/svg>$/)
  })

  test('every line is of a network that is there, with the dim that grows', () => {
    for (const { network, dim, dims } of scaleLines) {
      const text = readFileSync(`test/bench/models/${network}.net`, 'utf8')
      for (const name of [dim, ...Object.keys(dims)]) expect(text).toMatch(`\ndim ${name} `)
    }
  })

  test('the command measures a point in processes of its own', () => {
    const options = '--scale --only depth --sizes 1 --seconds 0.01 --json'.split(' ')
    const out = execFileSync(process.execPath, ['test/bench/main.ts', ...options], {
      encoding: 'utf8',
    })
    const [deep, peak] = out
      .trimEnd()
      .split('\n')
      .map((l) => JSON.parse(l)) as [ScalePoint, object]
    expect(deep).toMatchObject({ line: 'depth', size: 1, threads: 1 })
    expect(deep.loss_last).toBeLessThan(deep.loss_first)
    expect(deep.gflops).toBeGreaterThan(0)
    expect(deep.memory_bytes).toBeGreaterThanOrEqual(deep.planned_bytes)
    expect(deep.memory_bytes - deep.planned_bytes).toBeLessThan(2 * 65536)
    expect(deep.parameters).toBe(64 * 128 + 64 * 128 + 12 * 128 * 128 + 9 * 128 + 256 + 129 * 64)
    expect(peak).toMatchObject({ event: 'peak' })
  })
})
