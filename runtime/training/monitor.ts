/**
 * The health of a training, from what a module compiled with `monitor` reports: norms of weights, gradients and updates
 * for each parameter, dead and saturated units, and what is wrong with them in plain words. In: the metrics of a report
 * (means over the rows of an epoch, so that a norm is a root mean square over its steps).
 */
import type { Metrics } from '../fit.ts'

export interface ParameterHealth {
  readonly name: string
  /** Euclidean norms: of the weights, of the gradient before any `with`, of what a step adds. */
  readonly weight: number
  readonly gradient: number
  readonly update: number
  /** update / weight; about 1e-3 in a healthy training. */
  readonly ratio: number
}

export interface ActivationHealth {
  readonly name: string
  /** `dead`: units of a ReLU that are 0 for a whole batch; `saturated`: elements at the bounds of tanh or sigmoid. */
  readonly kind: 'dead' | 'saturated'
  /** Of all units or elements, 0 to 1. */
  readonly share: number
}

export interface Health {
  readonly parameters: readonly ParameterHealth[]
  readonly activations: readonly ActivationHealth[]
}

const form = /^monitor\.(weight|gradient|update|dead|saturated)\.(.+)$/

export const isMonitored = (metric: string): boolean => form.test(metric)

/** Metrics without those of the monitor. */
export const withoutMonitor = (metrics: Metrics): Metrics =>
  Object.fromEntries(Object.entries(metrics).filter(([name]) => !isMonitored(name)))

export function healthOf(metrics: Metrics): Health {
  const parameters: ParameterHealth[] = []
  const activations: ActivationHealth[] = []
  for (const [metric, value] of Object.entries(metrics)) {
    const [, kind, name = ''] = form.exec(metric) ?? []
    if (kind === 'dead' || kind === 'saturated') activations.push({ name, kind, share: value })
    if (kind !== 'weight') continue
    const norm = (what: string) => Math.sqrt(metrics[`monitor.${what}.${name}`] ?? Number.NaN)
    const weight = norm('weight')
    const update = norm('update')
    const ratio = weight > 0 ? update / weight : 0
    parameters.push({ name, weight, gradient: norm('gradient'), update, ratio })
  }
  return { parameters, activations }
}

/** What counts as unhealthy. */
const limits = {
  /** A gradient's norm. */
  exploding: 1e3,
  /** The norm a value of the gradient of a matrix, against the largest of all. */
  vanishing: 1e-4,
  /** An update's norm against that of its weights. */
  large: 0.1,
  dead: 0.4,
  saturated: 0.5,
}

const figure = (value: number): string => String(Number(value.toPrecision(2)))
const percent = (share: number): string => `${Math.round(100 * share)} %`

/** Tells each thing that is wrong once. */
export class Doctor {
  readonly #sizes: ReadonlyMap<string, readonly number[]>
  readonly #told = new Set<string>()

  /** `params` as in the manifest: names and shapes. */
  constructor(params: readonly { readonly name: string; readonly shape: readonly number[] }[]) {
    this.#sizes = new Map(params.map((p) => [p.name, p.shape]))
  }

  /** New warnings. */
  see({ parameters, activations }: Health): string[] {
    const said: string[] = []
    const tell = (kind: string, name: string, text: string): void => {
      if (this.#told.has(`${kind} ${name}`)) return
      this.#told.add(`${kind} ${name}`)
      said.push(text)
    }
    // Biases begin at 0 and are not what a signal goes through.
    const matrices = parameters.filter((p) => (this.#sizes.get(p.name)?.length ?? 0) > 1)
    const perValue = (p: ParameterHealth): number =>
      p.gradient / Math.sqrt(this.#sizes.get(p.name)!.reduce((a, b) => a * b, 1))
    const most = Math.max(0, ...matrices.map(perValue))
    for (const p of parameters) {
      if (!(p.gradient > limits.exploding)) continue
      const text = `exploding gradients: that of ${p.name} has norm ${figure(p.gradient)}`
      tell('exploding', '', `${text}; add \`with clip_norm(1.0)\` or lower the learning rate`)
    }
    for (const p of matrices) {
      if (perValue(p) < limits.vanishing * most) {
        const text = `vanishing gradients: a value of ${p.name} gets ${figure(perValue(p) / most)} of the largest one's`
        const help = 'add normalization or skip connections, or use relu instead of tanh or sigmoid'
        tell('vanishing', p.name, `${text}; ${help}`)
      }
      if (p.ratio > limits.large) {
        const text = `large steps: each changes ${p.name} by ${percent(p.ratio)} of its size`
        tell('large', p.name, `${text}; lower the learning rate`)
      }
    }
    for (const { name, kind, share } of activations) {
      if (share < limits[kind]) continue
      const [what, help] =
        kind === 'dead'
          ? ['dead units', 'lower the learning rate, or use leaky_relu or gelu']
          : ['saturation', 'start with smaller weights, normalize the inputs, or add a norm']
      tell(kind, name, `${what}: ${percent(share)} of ${name} ${wrong[kind]}; ${help}`)
    }
    return said
  }
}

const wrong = {
  dead: 'is 0 for whole batches',
  saturated: 'is at its bounds, where no gradient passes',
}
