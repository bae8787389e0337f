import type {
  ContainerAnswer,
  ContainerModel,
  ListedModel,
  ModelContainer,
} from '../../src/ports/model-container.ts'
import type { SimulatedTime } from './simulated-time.ts'

/** Whose invocation runs in the container. */
export interface Runner {
  /** False once its process is gone: nobody waits for the answer. */
  readonly isAlive: boolean
}

/** How the container behaves. */
export interface SimulatedModelContainerOptions {
  readonly time: SimulatedTime
  readonly random: () => number
  /** Of one model; beyond `modelsMax` of them it answers 507. */
  readonly modelBytes: number
  readonly modelsMax: number
}

const LOAD_MS_MAX = 40
const UNLOAD_MS_MAX = 10
const RUN_MS_MAX = 15

/**
 * A container with many models in simulated time, which notes every breach of what it is promised: that nothing is
 * unloaded while somebody who lives is being answered by it.
 */
export class SimulatedModelContainer implements ModelContainer {
  readonly breaches: string[] = []
  loadCount = 0
  unloadCount = 0
  readonly #options: SimulatedModelContainerOptions
  readonly #nameById = new Map<string, string>()
  readonly #loadingById = new Map<string, Promise<void>>()
  readonly #runnersById = new Map<string, Set<Runner>>()

  constructor(options: SimulatedModelContainerOptions) {
    this.#options = options
  }

  /** What its process takes. */
  get bytes(): number {
    return (this.#nameById.size + this.#loadingById.size) * this.#options.modelBytes
  }

  async load(
    _address: unknown,
    { modelId, targetModel }: ContainerModel,
  ): Promise<ContainerAnswer> {
    await this.#loadingById.get(modelId)
    if (this.#nameById.has(modelId)) return { kind: 'present', seat: undefined }
    const { modelsMax } = this.#options
    if (this.#nameById.size + this.#loadingById.size >= modelsMax) {
      return { kind: 'full', detail: 'no memory left' }
    }
    const loading = this.#pass(LOAD_MS_MAX)
    this.#loadingById.set(modelId, loading)
    await loading
    this.#loadingById.delete(modelId)
    this.#nameById.set(modelId, targetModel)
    this.loadCount += 1
    return { kind: 'done', seat: undefined }
  }

  async unload(_address: unknown, { modelId }: { readonly modelId: string }) {
    const runners = [...(this.#runnersById.get(modelId) ?? [])].filter(({ isAlive }) => isAlive)
    const name = this.#nameById.get(modelId)
    if (name !== undefined && runners.length > 0) {
      const atMs = Math.round(this.#options.time.nowMs())
      this.breaches.push(`${name} was unloaded at ${atMs} ms while ${runners.length} used it`)
    }
    const isThere = this.#nameById.delete(modelId)
    if (isThere) this.unloadCount += 1
    await this.#pass(UNLOAD_MS_MAX)
    return isThere ? ({ kind: 'done', seat: undefined } as const) : ({ kind: 'absent' } as const)
  }

  async list(): Promise<readonly ListedModel[]> {
    await this.#pass(UNLOAD_MS_MAX)
    return [...this.#nameById.keys()].map((modelId) => ({ modelId, seat: undefined }))
  }

  /** @returns the name of the model that answered; undefined when it is not there. */
  async invoke(modelId: string, runner: Runner): Promise<string | undefined> {
    const name = this.#nameById.get(modelId)
    if (name === undefined) return undefined
    const runners = this.#runnersById.get(modelId) ?? new Set()
    this.#runnersById.set(modelId, runners.add(runner))
    await this.#pass(RUN_MS_MAX)
    runners.delete(runner)
    return name
  }

  /** Loses all without a word. */
  forget(): void {
    this.#nameById.clear()
  }

  #pass(msMax: number): Promise<void> {
    const { time, random } = this.#options
    return new Promise((resolve) => time.at(time.nowMs() + random() * msMax, resolve))
  }
}
