import { describe, expect, test } from 'vitest'
import { parseProgram } from '../../compiler/ir/parse.ts'
import { verify } from '../../compiler/ir/verify.ts'
import { InternalError } from '../../compiler/support/diagnostic.ts'

const sound = `program "m.net"
dim batch <= 4
param W: f32[3, 2]
state mean: f32[2]
hyper lr: f32[] = 0.5
step step: i32[]
seed seed: i32[]
entry init init() {
  temp W_0: f32[3, 2]
  stage {
    W_0[i: 3, o: 2] = random#0(i * 2 + o)
    update W := W_0
  }
}
entry train t(x, label) -> loss = loss {
  input x: f32[batch, 3]
  input label: i32[batch] range 2
  temp h: f32[batch, 2]
  temp loss: f32[]
  gradient d_W: f32[3, 2]
  temp W_1: f32[3, 2]
  stage {
    minimize loss {W: d_W}
    h[n: batch, o: 2] = sum[i: 3](x[n, i] * W[i, o])
    loss[] = sum[m: batch](h[m, label[m]])
    W_1[i: 3, o: 2] = W[i, o] - lr[] * d_W[i, o]
    rule h = f(x) {
      cotangent temp dh: f32[batch, 2]
      temp dx: f32[batch, 3]
      dx[n: batch, i: 3] = dh[n, 0]
      give (dx)
    }
    update W := W_1
  }
}
entry predict p(x) -> y = y {
  input x: f32[batch, 3]
  temp y: f32[3]
  stage {
    scatter [n: batch, i: 3] y[2 - i] += x[n, i]
  }
}
`

test('a sound program passes', () => {
  verify(parseProgram(sound), 'elaborate')
})

/** What to replace, by what, and a part of the complaint. */
const broken: readonly (readonly [string, string, string])[] = [
  ['dim batch <= 4', 'dim batch <= 4\ndim batch <= 5', 'two of dim batch'],
  ['state mean: f32[2]', 'state mean: f32[0]', 'dimension 1 of mean is 0'],
  ['state mean: f32[2]', 'state mean: f32[2, batch]', 'bounded and not the outermost'],
  ['state mean: f32[2]', 'state mean: f32[none <= 3]', 'no dim none'],
  ['state mean: f32[2]', 'state mean: f32[batch <= 3]', 'batch <= 3, the dim is <= 4'],
  ['state mean: f32[2]', 'state W: f32[2]', 'two of tensor W'],
  ['state mean: f32[2]', 'temp mean: f32[2]', 'persists with role temp'],
  ['hyper lr: f32[] = 0.5', 'hyper lr: f32[2] = 0.5', 'has a shape'],
  ['hyper lr: f32[] = 0.5', 'hyper lr: f32[]', 'starts as undefined'],
  ['step step: i32[]', 'step step: f32[]', 'step step is f32'],
  ['seed seed: i32[]', 'seed seed: i32[]\nseed more: i32[]', 'two of seed cell'],
  ['entry predict p', 'entry predict t', 'two of entry t'],
  ['entry predict p', 'entry init p', 'init is entry 3'],
  ['temp y: f32[3]', 'temp y: f32[3]\ntemp unused: f32[]', 'unused is not defined by an equation'],
  ['temp y: f32[3]', 'temp y: f32[3]\ntemp W: f32[]', 'W is the name of a persistent tensor'],
  ['temp y: f32[3]', 'temp y: f32[3]\ninput z: f32[]', 'input z is not listed'],
  ['p(x) -> y = y', 'p(x, q) -> y = y', 'q is not an input'],
  ['p(x) -> y = y', 'p(x) -> y = z', 'z is not defined'],
  ['p(x) -> y = y', 'p(x) -> y = y, y = x', 'two of output y'],
  ['label: i32[batch] range 2', 'label: f32[batch] range 2', 'has a range'],
  ['loss[] =', 'h[n: batch, o: 2] = 0.0\nloss[] =', 'h is defined already'],
  [
    'loss[] = sum[m: batch](h[m, label[m]])',
    'loss[] = W_1[0, 0]',
    'the loss loss depends on its gradient d_W',
  ],
  [
    'temp y: f32[3]\n',
    'temp y: f32[3]\n  temp z: f32[]\n  stage { z[] = y[0] }\n',
    'y is used before it is defined',
  ],
  [
    'loss[] = sum[m: batch](h[m, label[m]])',
    'loss[] = sum[o: 2](sum[o: 2](1.0))',
    'two of index o',
  ],
  [
    'loss[] = sum[m: batch](h[m, label[m]])',
    'loss[] = sum[m: batch](h[m, k])',
    'index k is not in scope',
  ],
  [
    'loss[] = sum[m: batch](h[m, label[m]])',
    'loss[] = sum[m: batch](h[m])',
    '1 positions for the 2 dimensions',
  ],
  ['loss[] = sum[m: batch](h[m, label[m]])', 'loss[] = sum[m: batch](h[m, lr[]])', 'is f32'],
  [
    'loss[] = sum[m: batch](h[m, label[m]])',
    'loss[] = sum[m: 2](h[m, 0])',
    'does not follow batch',
  ],
  [
    'loss[] = sum[m: batch](h[m, label[m]])',
    'loss[] = sum[m: batch](h[m, 2])',
    '2..2, outside of dimension 2',
  ],
  [
    'loss[] = sum[m: batch](h[m, label[m]])',
    'loss[] = sum[m: batch](h[m, m - 1])',
    '-1..2, outside',
  ],
  [
    'loss[] = sum[m: batch](h[m, label[m]])',
    'loss[] = sum[m: batch](h[m, pow(m, 2)])',
    'not proven in range',
  ],
  ['loss[] = sum[m: batch](h[m, label[m]])', 'loss[] = sqrt(step[])', 'sqrt of i32'],
  ['loss[] = sum[m: batch](h[m, label[m]])', 'loss[] = where(1, 1.0, 2.0)', 'a test of i32'],
  [
    'loss[] = sum[m: batch](h[m, label[m]])',
    'loss[] = where(1 < 2, 1.0, 2)',
    'f32 or i32 typed f32',
  ],
  ['loss[] = sum[m: batch](h[m, label[m]])', 'loss[] = random#0(0.5)', 'not i32'],
  ['loss[] = sum[m: batch](h[m, label[m]])', 'loss[] = f32(bool:1)', 'constant 1 is no bool'],
  ['loss[] = sum[m: batch](h[m, label[m]])', 'loss[] = f32(count(rows))', 'no bounded dim rows'],
  ['loss[] = sum[m: batch](h[m, label[m]])', 'loss[] = f32(1 and 2)', 'and of i32'],
  ['loss[] = sum[m: batch](h[m, label[m]])', 'loss[] = 3', 'i32 for f32[]'],
  ['h[n: batch, o: 2]', 'h[n: batch, o: 3]', 'its domain [batch, 3] is not that of f32[batch, 2]'],
  ['h[n: batch, o: 2]', 'h[n: 4, o: 2]', 'its domain [4, 2]'],
  ['W_1[i: 3, o: 2] =', 'x[i: 3, o: 2] =', 'it defines input x'],
  ['minimize loss {W: d_W}', 'minimize h {W: d_W}', 'the loss h is not an f32 of rank 0'],
  [
    'minimize loss {W: d_W}',
    'minimize loss {mean: d_W}',
    "the objective's mean is not a parameter",
  ],
  ['minimize loss {W: d_W}', 'minimize loss {W: W_1}', 'W_1 is not a gradient'],
  ['minimize loss {W: d_W}', '', 'd_W is used before it is defined'],
  ['gradient d_W: f32[3, 2]', 'gradient d_W: f32[2, 3]', 'd_W is f32[2, 3], W is f32[3, 2]'],
  ['update W := W_1', 'update W := h', 'h is f32[batch, 2], W is f32[3, 2]'],
  ['update W := W_1', 'update lr := lr', 'update of lr'],
  ['update W := W_1', 'update W := W_1\nupdate W := W_1', 'two of update W'],
  ['temp dh: f32[batch, 2]', 'temp dh: f32[batch, 3]', 'dh is f32[batch, 3], h is f32[batch, 2]'],
  ['give (dx)', 'give (dh)', 'dh is f32[batch, 2], x is f32[batch, 3]'],
  ['give (dx)', 'give ()', 'gives 0 of 1'],
  ['y[2 - i] +=', 'y[3 - i] +=', '1..3, outside of dimension 1 of y'],
  ['y[2 - i] +=', 'y[i, 0] +=', '2 positions for the 1 dimensions'],
]

describe('what is broken is named', () => {
  for (const [from, to, message] of broken) {
    test(`${to.replaceAll('\n', ' ')}: ${message}`, () => {
      const text = sound.replace(from, () => to)
      expect(text).not.toBe(sound)
      const program = parseProgram(text)
      expect(() => verify(program, 'fuse')).toThrow(InternalError)
      expect(() => verify(program, 'fuse')).toThrow(message)
    })
  }

  test('with the pass, the entry and the equation', () => {
    const program = parseProgram(sound.replace('y[2 - i]', 'y[i + 1]'))
    expect(() => verify(program, 'fuse')).toThrow(
      'after pass fuse: entry p, equation y: position i + 1 is in 1..3, outside of dimension 1 of y (3)\n' +
        '  scatter [n: batch, i: 3] y[i + 1] += x[n, i]',
    )
  })

  test('a select that looks at the count lets its arms read any row', () => {
    const at = (body: string): string =>
      sound.replace('sum[m: batch](h[m, label[m]])', `sum[m: 4](${body})`)
    verify(parseProgram(at('where(m < count(batch), h[m, 0], 0.0)')), 'differentiate')
    expect(() => verify(parseProgram(at('where(m < 3, h[m, 0], 0.0)')), 'fuse')).toThrow('follow')
  })

  test('entries that compute change nothing', () => {
    const updating = (what: string): string =>
      sound.replace('[2 - i] += x[n, i]', `[2 - i] += x[n, i]\nupdate ${what}`)
    verify(parseProgram(updating('mean := mean')), 'fuse')
    const evaluated = updating('mean := mean').replace('entry predict', 'entry eval')
    expect(() => verify(parseProgram(evaluated), 'fuse')).toThrow(
      'an update in an entry of kind eval',
    )
    expect(() => verify(parseProgram(updating('W := W')), 'fuse')).toThrow(
      'update of W in a predict entry',
    )
  })
})
