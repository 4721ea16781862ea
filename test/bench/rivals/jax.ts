/**
 * jax-js on its wasm backend, the networks as its users write them: pure functions, `valueAndGrad`, and one `jit` around the
 * whole step, optimizer included. An array that is passed on is consumed; `.ref` keeps it for another use.
 */
import { defaultDevice, init, jit, lax, nn, numpy as np, tree, valueAndGrad } from '@jax-js/jax'
import type { Engine, Feeds } from '../types.ts'

type Arrays = Record<string, np.Array>

/** A parameter, kept for whoever reads it next: the tree is disposed of as a whole. */
type Get = (path: string) => np.Array

const dense = (p: Get, path: string, x: np.Array): np.Array =>
  np.matmul(x, p(`${path}.W`)).add(p(`${path}.b`))

function layerNorm(p: Get, path: string, x: np.Array): np.Array {
  return nn
    .standardize(x, -1, { epsilon: 1e-5 })
    .mul(p(`${path}.g`))
    .add(p(`${path}.b`))
}

/** 5×5, `same`, stride 1, then ReLU and the largest of 2×2; x is [N, C, H, W] as the library wants it. */
function convolve(p: Get, path: string, x: np.Array): np.Array {
  const filter = p(`${path}.F`)
  const [, , , k] = filter.shape as [number, number, number, number]
  const bias = p(`${path}.b`).reshape([k, 1, 1])
  const y = nn.relu(lax.conv(x, filter.transpose([3, 2, 0, 1]), [1, 1], 'SAME').add(bias))
  const [n, , h, w] = y.shape as [number, number, number, number]
  return np.max(np.max(y.reshape([n, k, h / 2, 2, w / 2, 2]), 5), 3)
}

function attend(p: Get, path: string, x: np.Array): np.Array {
  const [n, t, d] = x.shape as [number, number, number]
  const project = (name: string, from: np.Array): np.Array =>
    np.matmul(from, p(`${path}.${name}`)).reshape([n, t, 4, d / 4])
  const q = project('Wq', x.ref)
  const k = project('Wk', x.ref)
  const v = project('Wv', x)
  const o = nn.dotProductAttention(q, k, v, { isCausal: true }).reshape([n, t, d])
  return np.matmul(o, p(`${path}.Wo`))
}

/** Outputs of each network; it consumes what it is fed. */
const networks: Readonly<Record<string, (p: Get, fed: Arrays) => np.Array>> = {
  w1(p, { image }) {
    const h = nn.relu(dense(p, 'classify.dense_1', image!))
    return dense(p, 'classify.dense_3', nn.relu(dense(p, 'classify.dense_2', h)))
  },
  w2(p, { x }) {
    const h = np.tanh(dense(p, 'f.dense_1', x!))
    return dense(p, 'f.dense_3', np.tanh(dense(p, 'f.dense_2', h)))
  },
  w3(p, { image }) {
    const rows = image!.shape[0]!
    const first = convolve(p, 'classify.conv_1', image!.reshape([rows, 1, 28, 28]))
    const second = convolve(p, 'classify.conv_2', first).transpose([0, 2, 3, 1])
    return dense(p, 'classify.dense_1', second.reshape([rows, 784]))
  },
  w4(p, { ids }) {
    const [n, t] = ids!.shape as [number, number]
    const [units, all] = [128, [] as np.Array[]]
    // Not table.slice(ids): its gradient, a scatter, does not compile within this jit.
    const x = np.matmul(nn.oneHot(ids!, 64), p('text.embedding_1.table'))
    const u = np.matmul(x, p('text.lstm_1.W')).add(p('text.lstm_1.b'))
    let h = np.zeros([n, units])
    let c = np.zeros([n, units])
    for (let at = 0; at < t; at++) {
      const z = u.ref.slice([], at).add(np.matmul(h, p('text.lstm_1.U')))
      const gate = (k: number): np.Array => z.ref.slice([], [k * units, (k + 1) * units])
      c = nn
        .sigmoid(gate(1))
        .mul(c)
        .add(nn.sigmoid(gate(0)).mul(np.tanh(gate(2))))
      h = nn.sigmoid(gate(3)).mul(np.tanh(c.ref))
      z.dispose()
      all.push(h.ref)
    }
    tree.dispose([u, h, c])
    return dense(p, 'text.dense_1', np.stack(all, 1))
  },
  w5(p, { ids }) {
    let x = p('gpt.x.table').slice(ids!).add(p('gpt.x.place'))
    for (let layer = 2; layer < 6; layer++) {
      const at = `gpt.x_${layer}`
      x = x.ref.add(attend(p, `${at}.attend_1`, layerNorm(p, `${at}.norm_1`, x)))
      const wide = dense(p, `${at}.dense_1`, layerNorm(p, `${at}.norm_2`, x.ref))
      x = x.add(dense(p, `${at}.dense_2`, nn.gelu(wide, { approximate: false })))
    }
    return dense(p, 'gpt.dense_1', layerNorm(p, 'gpt.norm_1', x))
  },
  w6(p, { image }) {
    let x = image!
    for (const k of [1, 2, 3]) x = nn.relu(dense(p, `reconstruct.dense_${k}`, x))
    return nn.sigmoid(dense(p, 'reconstruct.dense_4', x))
  },
  matmul: (_, { a, b }) => np.matmul(a!, b!),
}

function crossEntropy(logits: np.Array, label: np.Array): np.Array {
  const classes = logits.shape.at(-1)!
  const picked = nn.logSoftmax(logits).mul(nn.oneHot(label, classes))
  return np.mean(np.sum(picked, -1)).mul(-1)
}

function squares(y: np.Array, target: np.Array): np.Array {
  const d = y.sub(target)
  return np.mean(d.ref.mul(d))
}

const losses: Readonly<Record<string, (y: np.Array, fed: Arrays) => np.Array>> = {
  w1: (y, { label }) => crossEntropy(y, label!),
  w2: (y, fed) => squares(y, fed.y!),
  w3: (y, { label }) => crossEntropy(y, label!),
  w4: (y, { next }) => crossEntropy(y, next!),
  w5: (y, { next }) => crossEntropy(y, next!),
  w6: (y, { image }) => squares(y, image!),
}

/** A function of parameters and what is fed, from one that reads parameters by their path. */
const reading =
  (f: (p: Get, fed: Arrays) => np.Array) =>
  (params: Arrays, fed: Arrays): np.Array => {
    const result = f((path) => params[path]!.ref, fed)
    tree.dispose(params)
    return result
  }

type Step = (state: Arrays[], rates: np.Array[], fed: Arrays) => [Arrays[], np.Array[]]

interface Adam {
  readonly lr: number
  readonly b1: number
}

/** Parameters, m and v one step on. `rates` are 1 / (1 - b1^t) and 1 / (1 - b2^t), as arrays so that nothing is recompiled. */
function adam([params, ms, vs]: Arrays[], grads: Arrays, [c1, c2]: np.Array[], { lr, b1 }: Adam) {
  const next: Arrays[] = [{}, {}, {}]
  for (const [name, g] of Object.entries(grads)) {
    const m = ms![name]!.mul(b1).add(g.ref.mul(1 - b1))
    const v = vs![name]!.mul(0.999).add(g.ref.mul(g).mul(0.001))
    const down = np.sqrt(v.ref.mul(c2!.ref)).add(1e-8)
    next[0]![name] = params![name]!.sub(m.ref.mul(c1!.ref).mul(lr).div(down))
    next[1]![name] = m
    next[2]![name] = v
  }
  return next
}

function plainStep(network: string): Step {
  const loss = reading((p, fed) => {
    const kept = tree.ref(fed)
    return losses[network]!(networks[network]!(p, fed), kept)
  })
  return (state, rates, fed) => {
    const [value, grads] = valueAndGrad(loss)(tree.ref(state[0]!), fed) as [np.Array, Arrays]
    if (network === 'w2') {
      const params: Arrays = {}
      for (const [name, g] of Object.entries(grads)) {
        params[name] = state[0]![name]!.sub(g.mul(0.05))
      }
      return [[params], [value]]
    }
    return [adam(state, grads, rates, { lr: network === 'w4' ? 2e-3 : 1e-3, b1: 0.9 }), [value]]
  }
}

/** The discriminator's step and then, against what it has become, the generator's. State: three trees of each. */
const ganStep: Step = (state, rates, fed) => {
  const make = (p: Get, z: np.Array): np.Array =>
    np.tanh(dense(p, 'generate.dense_2', nn.relu(dense(p, 'generate.dense_1', z))))
  const judge = (p: Get, x: np.Array): np.Array =>
    dense(p, 'discriminate.dense_2', nn.leakyRelu(dense(p, 'discriminate.dense_1', x), 0.2))
  const fake = reading((p, { z1 }) => make(p, z1!))(tree.ref(state[3]!), { z1: fed.z1! })
  const first = reading((p, { image, made }) => {
    const real = np.mean(nn.softplus(judge(p, image!).mul(-1)))
    return real.add(np.mean(nn.softplus(judge(p, made!))))
  })
  const options = { lr: 2e-4, b1: 0.5 }
  const [a, da] = valueAndGrad(first)(tree.ref(state[0]!), { image: fed.image!, made: fake })
  const next = adam(state.slice(0, 3), da as Arrays, rates, options)
  const second = (own: Arrays, its: Arrays, z: np.Array): np.Array =>
    reading((p) => np.mean(nn.softplus(judge(p, make(p, z)).mul(-1))))({ ...own, ...its }, {})
  const [b, db] = valueAndGrad(second)(tree.ref(state[3]!), tree.ref(next[0]!), fed.z2!)
  return [
    [...next, ...adam(state.slice(3), db as Arrays, rates, options)],
    [a, b],
  ] as [Arrays[], np.Array[]]
}

const zerosLike = (all: Arrays): Arrays =>
  Object.fromEntries(Object.entries(all).map(([k, t]) => [k, np.zeros(t.shape)]))

const engine: Engine = {
  async create({ network, kind }, params, inputs) {
    await init('wasm')
    defaultDevice('wasm')
    const arrayOf = (data: Float32Array | Int32Array, shape: readonly number[]): np.Array =>
      np.array(data as Float32Array<ArrayBuffer>, { shape: [...shape] })
    const all: Arrays = {}
    for (const [name, { data, shape }] of params) all[name] = arrayOf(data, shape)
    const pick = (net: string): Arrays =>
      Object.fromEntries(Object.entries(all).filter(([name]) => name.startsWith(net)))
    const own = network === 'w7' ? [pick('discriminate'), pick('generate')] : [all]
    let state = own.flatMap((p) => (network === 'w2' ? [p] : [p, zerosLike(p), zerosLike(p)]))
    const step = jit(network === 'w7' ? ganStep : plainStep(network)) as unknown as Step
    const run = jit(reading(networks[network] ?? ((p) => p('')))) as (
      p: Arrays,
      f: Arrays,
    ) => np.Array
    let fed: Arrays = {}
    let results: np.Array[] = []
    let t = 0
    const b1 = network === 'w7' ? 0.5 : 0.9
    return {
      feed(feeds: Feeds) {
        tree.dispose(fed)
        fed = {}
        for (const [name, data] of Object.entries(feeds)) fed[name] = arrayOf(data, inputs[name]!)
      },
      async step() {
        tree.dispose(results)
        if (kind === 'train') {
          t++
          const rates = [1 / (1 - b1 ** t), 1 / (1 - 0.999 ** t)].map((c) => np.array([c]))
          ;[state, results] = step(state, rates, tree.ref(fed))
        } else results = [run(tree.ref(all), tree.ref(fed))]
        await results[0]!.blockUntilReady()
        if (kind === 'train')
          for (const tensors of state) for (const k in tensors) await tensors[k]!.blockUntilReady()
      },
      read: () =>
        kind === 'train'
          ? results.map((r) => Number(r.ref.dataSync()[0]))
          : (results[0]!.ref.dataSync() as Float32Array),
    }
  },
}

export default engine
