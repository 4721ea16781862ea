import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { programToDot } from '../../compiler/ir/dot.ts'
import { programToJson } from '../../compiler/ir/json.ts'
import { Cursor, IrSyntaxError } from '../../compiler/ir/lexer.ts'
import { parseProgram } from '../../compiler/ir/parse.ts'
import { parseScalar } from '../../compiler/ir/parse-scalar.ts'
import { printProgram, printScalar } from '../../compiler/ir/print.ts'
import type { Program, Scalar } from '../../compiler/ir/types.ts'
import { arbitraryProgram } from '../support/arbitrary.ts'

const everything = readFileSync(new URL('./everything.ir', import.meta.url), 'utf8')

describe('round trips', () => {
  test('a text with every construct prints as it is written', () => {
    const program = parseProgram(everything)
    expect(printProgram(program)).toBe(everything)
    expect(parseProgram(printProgram(program))).toEqual(program)
  })

  test('spans find the given sources', () => {
    const source = { file: 'std/nn.net', text: 'the text' }
    const program = parseProgram(everything, new Map([['std/nn.net', source]]))
    expect(program.tensors[0]?.span?.source).toBe(source)
    expect(program.tensors[1]?.span?.source).toEqual({ file: 'models/every.net', text: '' })
  })

  test('random programs', () => {
    const check = (program: Program): void => {
      const text = printProgram(program)
      const again = parseProgram(text)
      expect(again).toEqual(program)
      expect(printProgram(again)).toBe(text)
    }
    fc.assert(fc.property(arbitraryProgram({ train: true }), check), { numRuns: 100 })
  })
})

const scope = { dtype: () => 'f32' as const, dimension: () => 4 }
const parse = (text: string): Scalar => parseScalar(new Cursor({ file: 't', text }), scope)

describe('scalars', () => {
  test('any constant keeps its bits', () => {
    const value = fc.oneof(
      fc.double(),
      fc.float(),
      fc.integer(),
      fc.constantFrom(-0, 1 / 3, Math.fround(1e-45)),
    )
    fc.assert(
      fc.property(fc.constantFrom('f32', 'i32', 'bool'), value, (type, x) => {
        const e: Scalar = { kind: 'const', type, value: x }
        const again = parse(printScalar(e))
        expect(again.kind === 'const' && again.type === type && Object.is(again.value, x)).toBe(
          true,
        )
      }),
      { numRuns: 2000 },
    )
  })

  const texts = [
    'a[] - (b[] - c[])',
    'a[] - b[] - c[]',
    'a[] / (b[] * c[]) * -d[]',
    '-(-a[])',
    '-(3.0) - -3.0',
    '-(a[] + b[]) * c[]',
    'where(not(i < 3) and (a[] == nan or j >= 1), -inf, -0.0)',
    'pow(a[], 2.0) % max(min(a[], 1e+30), 5e-324)',
    'f32(i32(a[]) / 2 % 3) + f32(a[] < b[]) + f32(bool:1)',
    'x?[i + -1, i32(y[i])]',
    'sum[i: 3, j: J=4](x[i, j]) * prod[k: batch <= 5](1.5f * x[k])',
    'stopgrad(random#3(i * 4 + count(batch)))',
    '"sum"["exp"] + "two words"[] + grad.w\'[]',
    'f32(argmin[i: 3](x[i])) + sigmoid(erf(tanh(x[0])))',
  ]
  for (const text of texts) {
    test(text, () => {
      const printed = printScalar(parse(text.replace('batch <= 5', 'batch')))
      expect(printed).toBe(text.replace('batch <= 5', 'batch').replace('1.5f', '1.5'))
    })
  }

  test('random scalars out of any operators', () => {
    const leaf: fc.Arbitrary<Scalar> = fc.oneof(
      fc.double().map((value): Scalar => ({ kind: 'const', type: 'f32', value })),
      fc.constant<Scalar>({ kind: 'read', tensor: 'x', type: 'f32', at: [], guarded: false }),
    )
    const { node } = fc.letrec<{ node: Scalar }>((tie) => ({
      node: fc.oneof(
        { depthSize: 'small' },
        leaf,
        tie('node').map((value): Scalar => ({ kind: 'unary', op: 'neg', type: 'f32', value })),
        fc
          .tuple(
            fc.constantFrom('add', 'sub', 'mul', 'div', 'mod', 'pow', 'max'),
            tie('node'),
            tie('node'),
          )
          .map(([op, left, right]): Scalar => ({ kind: 'binary', op, type: 'f32', left, right })),
      ),
    }))
    fc.assert(
      fc.property(node, (e) => {
        expect(parse(printScalar(e))).toEqual(e)
      }),
      { numRuns: 500 },
    )
  })
})

describe('malformed text', () => {
  const header = 'program "m"\n'
  const cases: readonly (readonly [string, string, number, number])[] = [
    ['', 'expected program', 1, 1],
    [`${header}param W f32[3]`, 'expected :', 2, 9],
    [`${header}tensor W: f32[3]`, 'tensor is not a role', 2, 1],
    [`${header}param W: f64[3]`, 'f64 is not a dtype', 2, 10],
    [`${header}param W: f32[n]`, 'no dim n', 2, 14],
    [`${header}param W: f32[3`, 'expected ]', 2, 15],
    [`${header}dim ; 3`, 'unexpected ";"', 2, 5],
    [`${header}entry go g() {`, 'go is not a kind', 2, 7],
    [`${header}entry init i() {\n stage {\n h[] = y[]`, 'no tensor y', 4, 8],
    [`${header}entry init i() {\n stage {\n h[] = 1 + 2.0`, '+ of i32 and f32', 4, 10],
    [`${header}entry init i() {\n stage {\n h[] = max(1)`, 'max takes 2', 4, 8],
    [`${header}entry init i() {\n stage {\n h[] = )`, 'expected an expression', 4, 8],
    [`${header}dim a <= "\\x"`, 'not JSON', 2, 10],
  ]
  for (const [text, message, line, column] of cases) {
    test(message, () => {
      let error: unknown
      try {
        parseProgram(text)
      } catch (e) {
        error = e
      }
      expect(error).toBeInstanceOf(IrSyntaxError)
      expect((error as Error).message).toContain(message)
      expect(error).toMatchObject({ line, column })
    })
  }
})

describe('other forms', () => {
  const program = parseProgram(everything)

  test('JSON survives being written, whatever the constants', () => {
    const json = programToJson(program)
    expect(JSON.parse(JSON.stringify(json))).toEqual(json)
    expect(JSON.stringify(json)).toContain('"text":"h[n: batch, o: O=2] = ')
  })

  test('a graph names every entry, or the one asked for', () => {
    const dot = programToDot(program)
    for (const entry of program.entries)
      expect(dot).toContain(`label="${entry.kind} ${entry.name}"`)
    expect(programToDot(program, 'p')).not.toContain('label="init init"')
    const ids = [...dot.matchAll(/^ *(\S+) -> (\S+)/gm)].flatMap((m) => [m[1]!, m[2]!])
    for (const id of ids) expect(dot).toContain(`${id} [label=`)
  })
})
