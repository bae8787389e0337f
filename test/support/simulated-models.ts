import { chooseModelInstance, rankOf } from '../../src/domain/multi-model/placement.ts'
import { ModelRanking } from '../../src/domain/multi-model/model-ranking.ts'

/** A fleet that serves many models, and who decides. */
export interface SimulatedModels {
  readonly policy: 'gdsf' | 'lru'
  /** `expected`: the production choice; `hash`: always the model's first home. */
  readonly routing: 'expected' | 'hash'
  readonly instanceCount: number
  readonly workerCount: number
  readonly modelCount: number
  /** Of all models' bytes that one instance holds. */
  readonly cacheShare: number
  readonly zipf: number
  /** Of the workers' capacity. */
  readonly load: number
  readonly requestCount: number
  readonly seed: number
}

interface Instance {
  readonly instanceId: string
  readonly freeAtMs: number[]
  loaderFreeAtMs: number
  readonly readyAtMsByModel: Map<string, number>
  readonly ranking: ModelRanking
  bytes: number
}

const SERVICE_MS = 8
const LOAD_FIXED_MS = 15
const BYTES_PER_MS = 400_000
const MEDIAN_BYTES = 20_000_000
/** Requests at the start that only fill the caches. */
const WARM_UP_SHARE = 0.5

/**
 * Latencies in milliseconds, sorted, of requests to models whose popularity is Zipf's, with Poisson arrivals. Placement and
 * eviction are the functions that production calls; only time, service and loads are simulated.
 */
export function simulateModels(setting: SimulatedModels): readonly number[] {
  const random = mulberry32(setting.seed)
  const models = Array.from({ length: setting.modelCount }, (_, index) => {
    const bytes = MEDIAN_BYTES * Math.exp(normal(random))
    return { name: `m${index}`, bytes, loadMs: LOAD_FIXED_MS + bytes / BYTES_PER_MS }
  })
  const capacity = setting.cacheShare * models.reduce((sum, { bytes }) => sum + bytes, 0)
  const cumulated = cumulate(models.map((_, index) => 1 / (index + 1) ** setting.zipf))
  const instances = Array.from({ length: setting.instanceCount }, (_, index): Instance => ({
    instanceId: `i${index}`,
    freeAtMs: Array.from({ length: setting.workerCount }, () => 0),
    loaderFreeAtMs: 0,
    readyAtMsByModel: new Map(),
    ranking: new ModelRanking(setting.policy),
    bytes: 0,
  }))
  const gapMs = SERVICE_MS / (setting.load * setting.instanceCount * setting.workerCount)
  const latencies: number[] = []
  let nowMs = 0
  for (let count = 0; count < setting.requestCount; count += 1) {
    nowMs += -Math.log(1 - random()) * gapMs
    const model = models[pick(cumulated, random())]
    const instance = model && choose(setting.routing, instances, model, nowMs)
    if (model === undefined || instance === undefined) throw new Error('nothing to choose from')
    const latencyMs = serve(instance, model, { nowMs, capacity, models })
    if (count > WARM_UP_SHARE * setting.requestCount) latencies.push(latencyMs)
  }
  return latencies.sort((a, b) => a - b)
}

interface Model {
  readonly name: string
  readonly bytes: number
  readonly loadMs: number
}

function choose(
  routing: 'expected' | 'hash',
  instances: readonly Instance[],
  model: Model,
  nowMs: number,
): Instance | undefined {
  if (routing === 'hash') {
    return [...instances].sort(
      (a, b) => rankOf(model.name, b.instanceId) - rankOf(model.name, a.instanceId),
    )[0]
  }
  const candidates = instances.map((instance) => {
    const readyAtMs = instance.readyAtMsByModel.get(model.name)
    const waitMs = Math.max(0, Math.min(...instance.freeAtMs) - nowMs)
    const loaderMs =
      readyAtMs === undefined
        ? Math.max(0, instance.loaderFreeAtMs - nowMs)
        : Math.max(0, readyAtMs - nowMs - model.loadMs)
    const presence =
      readyAtMs === undefined
        ? ('absent' as const)
        : readyAtMs > nowMs
          ? ('loading' as const)
          : ('loaded' as const)
    const { instanceId } = instance
    return {
      instance,
      instanceId,
      serviceMs: waitMs + SERVICE_MS,
      presence,
      loaderMs,
      displacedMs: 0,
    }
  })
  return chooseModelInstance(candidates, model.name, model.loadMs)?.instance
}

function serve(
  instance: Instance,
  model: Model,
  { nowMs, capacity, models }: { nowMs: number; capacity: number; models: readonly Model[] },
): number {
  const { ranking, readyAtMsByModel, freeAtMs } = instance
  ranking.recordUse(model.name, 1, nowMs)
  let readyAtMs = readyAtMsByModel.get(model.name)
  if (readyAtMs === undefined) {
    ranking.recordCost(model.name, { bytes: model.bytes, reloadMs: model.loadMs }, nowMs)
    makeRoom(instance, { bytes: model.bytes, nowMs, capacity, models })
    readyAtMs = Math.max(nowMs, instance.loaderFreeAtMs) + model.loadMs
    instance.loaderFreeAtMs = readyAtMs
    readyAtMsByModel.set(model.name, readyAtMs)
    instance.bytes += model.bytes
  }
  const worker = freeAtMs.indexOf(Math.min(...freeAtMs))
  const startAtMs = Math.max(nowMs, readyAtMs, freeAtMs[worker] ?? 0)
  // A worker is not held by a request that waits for its model: it serves others meanwhile.
  freeAtMs[worker] = Math.max(nowMs, freeAtMs[worker] ?? 0) + SERVICE_MS
  return startAtMs + SERVICE_MS - nowMs
}

function makeRoom(
  instance: Instance,
  need: { bytes: number; nowMs: number; capacity: number; models: readonly Model[] },
): void {
  const { ranking, readyAtMsByModel } = instance
  while (instance.bytes + need.bytes > need.capacity) {
    const evictable = [...readyAtMsByModel].flatMap(([model, readyAtMs]) =>
      readyAtMs <= need.nowMs ? [{ model }] : [],
    )
    const victim = ranking.chooseVictim(evictable, need.nowMs)
    if (victim === undefined) return
    ranking.recordEviction(victim.model, need.nowMs)
    readyAtMsByModel.delete(victim.model)
    instance.bytes -= need.models[Number(victim.model.slice(1))]?.bytes ?? 0
  }
}

function cumulate(weights: readonly number[]): readonly number[] {
  let sum = 0
  const sums = weights.map((weight) => (sum += weight))
  return sums.map((value) => value / sum)
}

function pick(cumulated: readonly number[], random: number): number {
  const index = cumulated.findIndex((value) => value > random)
  return index < 0 ? cumulated.length - 1 : index
}

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d_2b_79_f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
