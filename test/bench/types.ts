/**
 * What the processes of the benchmark say to each other, and what an engine (netc or a rival) has to offer. Types only.
 */

export type Numbers = Float32Array | Int32Array

/** Inputs of one step by name, flat and row-major. */
export type Feeds = Readonly<Record<string, Numbers>>

export interface Tensor {
  readonly shape: readonly number[]
  readonly data: Numbers
}

/** What one process measures: one engine at one workload. */
export interface Job {
  /** The name of the network, `w1` … `w7` or `matmul`: the file of models without its ending. */
  readonly network: string
  /** `matmul` runs on operands that stay in place; the others are fed at every step. */
  readonly kind: 'train' | 'predict' | 'matmul'
  /** Of netc: the entry of the module. */
  readonly entry: string
  /** Rows of a step. */
  readonly rows: number
  /** Of netc: which module. */
  readonly build: string
  readonly threads: number
  /** The folder of `prepare.ts`: modules, start.safetensors. */
  readonly folder: string
  /** The folder of the rivals' packages. */
  readonly packages: string
  /** Steps from the start whose losses are compared. The last one has the batch of the first. */
  readonly steps: number
  /** How long to measure. */
  readonly seconds: number
}

/** A network ready to run. `feed` and `step` and `read` are called in turn and are all of what a step costs its user. */
export interface Run {
  feed(feeds: Feeds): void
  /** Trains on what was fed, or computes outputs; done when it returns. */
  step(): void | Promise<void>
  /** The losses of the last step, or its outputs. */
  read(): ArrayLike<number>
}

export interface Engine {
  /** `params` are netc's initial parameters by their paths; `inputs` the shapes of what will be fed. */
  create(
    job: Job,
    params: ReadonlyMap<string, Tensor>,
    inputs: Readonly<Record<string, readonly number[]>>,
  ): Promise<Run>
}

/** What a process prints as its last line. */
export interface Measured {
  /** Median milliseconds of a step. */
  readonly ms: number
  /** Per step from the start: the losses, or the first outputs. */
  readonly values: readonly (readonly number[])[]
  /** Milliseconds from the first import, and from the start of the process, to the end of the first step. */
  readonly first: number
  readonly started: number
  /** Resident memory at its highest, in MB. */
  readonly memory: number
}
