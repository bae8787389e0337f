import type { ProcessTree } from '../harness/process-tree.ts'

/** A model that all contestants serve. */
export interface BenchModel {
  readonly name: ModelName
  readonly path: string
  /** What it says about the first rows. */
  readonly expected: readonly (readonly number[])[]
}

export type ModelName = 'small' | 'mid-size'

/** Something that serves the model over HTTP. */
export interface Contestant {
  readonly id: string
  readonly label: string
  /** How it runs, in words for the report. */
  readonly settings: (model: ModelName) => string
  /** Starts it with one model. The first answer may take a while longer. */
  readonly start: (model: BenchModel) => Promise<RunningServer>
}

export interface RunningServer extends AsyncDisposable {
  readonly url: string
  readonly tree: ProcessTree
  /** All requests of the load in turn, prepared now: signatures are good for minutes. */
  readonly prepareRequests: () => Promise<readonly Buffer[]>
  /** What it said last, for the message of a failure. */
  readonly describeFailure: () => Promise<string>
}
