/** How a multi-model container is run beyond what SageMaker's API can say: variables of its environment. */
export interface ModelSettings {
  readonly eviction: EvictionPolicy
  /** Memory that the instance's models and program may take; undefined: nine tenths of the instance type's. */
  readonly memoryBytesMax: number | undefined
  /** Models loaded at the same time on one instance; undefined: one for each worker. */
  readonly loadsMax: number | undefined
  /** Invocations of one model outstanding on one instance; undefined: a share that leaves room for others. */
  readonly concurrencyMax: number | undefined
  /** How long a cached model answers before the store is asked whether it was replaced; undefined: never asked. */
  readonly revalidateMs: number | undefined
  /** Loaded on every instance from its start, and never evicted. */
  readonly pinned: readonly string[]
  /** Loaded on every instance from its start while there is room. */
  readonly preloaded: readonly string[]
}

/** `gdsf` weighs what a reload costs; `lru` is what SageMaker is understood to do. */
export type EvictionPolicy = 'gdsf' | 'lru'

interface IntegerVariable {
  readonly min: number
  readonly max: number
  readonly unit: string
}

const INTEGERS = {
  BERTH_MODEL_MEMORY_BYTES: { min: 1024 ** 2, max: 2 ** 50, unit: 'bytes' },
  BERTH_MODEL_LOADS: { min: 1, max: 64, unit: 'loads' },
  BERTH_MODEL_CONCURRENCY: { min: 1, max: 10_000, unit: 'invocations' },
  BERTH_MODEL_REVALIDATE_SECONDS: { min: 0, max: 86_400, unit: 'seconds' },
} as const satisfies Record<string, IntegerVariable>

const LISTS = ['BERTH_MODEL_PIN', 'BERTH_MODEL_PRELOAD'] as const
const EVICTION = 'BERTH_MODEL_EVICTION'

/** Every variable that {@link parseModelSettings} reads. */
export const MODEL_VARIABLES: readonly string[] = [EVICTION, ...Object.keys(INTEGERS), ...LISTS]

/**
 * Reads the settings of a multi-model container from its environment.
 *
 * @returns what is wrong with them too, in words; a setting that is wrong has its default.
 */
export function parseModelSettings(environment: Readonly<Record<string, string>>): {
  readonly settings: ModelSettings
  readonly problems: readonly string[]
} {
  const problems: string[] = []
  const integer = (name: keyof typeof INTEGERS): number | undefined => {
    const text = environment[name]
    if (text === undefined || text === '') return undefined
    const { min, max, unit } = INTEGERS[name]
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
    if (value >= min && value <= max) return value
    problems.push(`${name} must be a whole number of ${unit} from ${min} to ${max}, not "${text}".`)
    return undefined
  }
  const list = (name: (typeof LISTS)[number]): readonly string[] =>
    (environment[name] ?? '').split(',').flatMap((part) => {
      const target = part.trim()
      if (target === '') return []
      if (isTargetModel(target)) return [target.replace(/^\//, '')]
      problems.push(`${name} must list target models, separated by commas; "${target}" is none.`)
      return []
    })
  const eviction = environment[EVICTION]
  if (eviction !== undefined && eviction !== 'gdsf' && eviction !== 'lru') {
    problems.push(`${EVICTION} must be gdsf or lru, not "${eviction}".`)
  }
  const revalidateSeconds = integer('BERTH_MODEL_REVALIDATE_SECONDS')
  const settings: ModelSettings = {
    eviction: eviction === 'lru' ? 'lru' : 'gdsf',
    memoryBytesMax: integer('BERTH_MODEL_MEMORY_BYTES'),
    loadsMax: integer('BERTH_MODEL_LOADS'),
    concurrencyMax: integer('BERTH_MODEL_CONCURRENCY'),
    revalidateMs: revalidateSeconds === undefined ? undefined : revalidateSeconds * 1000,
    pinned: list('BERTH_MODEL_PIN'),
    preloaded: list('BERTH_MODEL_PRELOAD'),
  }
  return { settings, problems }
}

/**
 * Whether a text can be the key of a model below a prefix: no element that climbs out or is empty; one leading slash is
 * allowed and means nothing.
 */
export function isTargetModel(text: string): boolean {
  const key = text.replace(/^\//, '')
  if (key === '' || key.length > 1024) return false
  return key.split('/').every((element) => element !== '' && element !== '.' && element !== '..')
}
