import { ModelCopies } from '../../src/domain/multi-model/model-copies.ts'
import { chooseModelInstance, rankOf } from '../../src/domain/multi-model/placement.ts'
import { SimulatedInstance } from './simulated-model-instance.ts'
import type { SimulatedModel } from './simulated-model-instance.ts'
import { seededRandom } from './simulated-time.ts'
import { createZipf } from './zipf.ts'

/** A fleet that serves many models, and who decides. */
export interface SimulatedModels {
  readonly policy: 'gdsf' | 'lru'
  /** `expected`: the production choice; `hash`: always the model's first home. */
  readonly routing: 'expected' | 'hash'
  readonly instanceCount: number
  readonly workerCount: number
  readonly modelCount: number
  /** Of what all models take that one instance holds. */
  readonly cacheShare: number
  readonly zipf: number
  /** Of the workers' capacity. */
  readonly load: number
  readonly requestCount: number
  readonly seed: number
}

/** What came of it, after the requests at the start that only fill the caches. */
export interface SimulatedOutcome {
  /** Milliseconds, sorted. */
  readonly latencies: readonly number[]
  /** Of what a request would take on an idle instance that has its model, mean milliseconds. */
  readonly addedMs: number
  readonly loadCount: number
  readonly evictionCount: number
  /** Largest share of its bound that an instance's memory ever was. */
  readonly memoryShareMax: number
}

const SERVICE_MS = 8
const LOAD_FIXED_MS = 15
const BYTES_PER_MS = 400_000
const MEDIAN_BYTES = 20_000_000
const PROGRAM_BYTES = 60_000_000
// What a loaded model takes for each byte of its files: what nobody knows before it was measured.
const MEMORY_RATIO_MIN = 0.9
const MEMORY_RATIO_MAX = 1.7
const WARM_UP_SHARE = 0.5

/**
 * Requests to models whose popularity is Zipf's, with Poisson arrivals. Placement, eviction and the ledger of memory are the
 * code that production runs; only time, service, loads and what memory really is are simulated.
 */
export function simulateModels(setting: SimulatedModels): SimulatedOutcome {
  const random = seededRandom(setting.seed)
  const models = Array.from({ length: setting.modelCount }, (_, index) => drawModel(index, random))
  const drawIndex = createZipf(setting.modelCount, setting.zipf, random)
  const allBytes = models.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0)
  const memoryBytesMax = PROGRAM_BYTES + setting.cacheShare * allBytes
  const { policy, workerCount } = setting
  const instances = Array.from({ length: setting.instanceCount }, (_, index) => {
    const shape = { workerCount, memoryBytesMax, programBytes: PROGRAM_BYTES }
    return new SimulatedInstance(`i${index}`, { ...shape, policy, serviceMs: SERVICE_MS })
  })
  const copies = new ModelCopies()
  const gapMs = SERVICE_MS / (setting.load * setting.instanceCount * workerCount)
  const latencies: number[] = []
  let nowMs = 0
  for (let count = 0; count < setting.requestCount; count += 1) {
    nowMs += -Math.log(1 - random()) * gapMs
    const model = models[drawIndex()]
    if (model === undefined) throw new Error('no such model')
    const instance =
      setting.routing === 'hash'
        ? firstHome(instances, model.name)
        : chooseByCompletion(instances, copies, model, nowMs)
    if (instance === undefined) throw new Error('nothing to choose from')
    const latencyMs = instance.serve(model, nowMs)
    if (count >= WARM_UP_SHARE * setting.requestCount) latencies.push(latencyMs)
    else for (const each of instances) each.forgetCounts()
  }
  const sum = (read: (instance: SimulatedInstance) => number): number =>
    instances.reduce((total, instance) => total + read(instance), 0)
  const totalMs = latencies.reduce((total, latencyMs) => total + latencyMs, 0)
  return {
    latencies: latencies.sort((a, b) => a - b),
    addedMs: totalMs / latencies.length - SERVICE_MS,
    loadCount: sum(({ loadCount }) => loadCount),
    evictionCount: sum(({ evictionCount }) => evictionCount),
    memoryShareMax: Math.max(...instances.map(({ peakBytes }) => peakBytes)) / memoryBytesMax,
  }
}

function drawModel(index: number, random: () => number): SimulatedModel {
  const fileBytes = MEDIAN_BYTES * Math.exp(normal(random))
  const ratio = MEMORY_RATIO_MIN + random() * (MEMORY_RATIO_MAX - MEMORY_RATIO_MIN)
  const loadMs = LOAD_FIXED_MS + fileBytes / BYTES_PER_MS
  return { name: `m${index}`, fileBytes, memoryBytes: ratio * fileBytes, loadMs }
}

function chooseByCompletion(
  instances: readonly SimulatedInstance[],
  copies: ModelCopies,
  model: SimulatedModel,
  nowMs: number,
): SimulatedInstance | undefined {
  const candidates = instances.map((instance) => instance.asCandidate(model, nowMs))
  const chosen = chooseModelInstance(candidates, model.name, model.loadMs)
  if (chosen === undefined) return undefined
  const { name: targetModel, loadMs } = model
  const due = copies.recordChoice(chosen, candidates, { targetModel, loadMs, nowMs })
  if (due !== undefined) find(instances, due.instanceId)?.copy(model, nowMs)
  return find(instances, chosen.instanceId)
}

function find(
  instances: readonly SimulatedInstance[],
  instanceId: string,
): SimulatedInstance | undefined {
  return instances.find((instance) => instance.instanceId === instanceId)
}

function firstHome(
  instances: readonly SimulatedInstance[],
  name: string,
): SimulatedInstance | undefined {
  let home: SimulatedInstance | undefined
  let highest = -1
  for (const instance of instances) {
    const rank = rankOf(name, instance.instanceId)
    if (rank <= highest) continue
    home = instance
    highest = rank
  }
  return home
}

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}
