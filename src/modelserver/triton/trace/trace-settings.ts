import { ServingError } from '../serving-error.ts'

/** What is recorded of a request that is traced. */
export type TraceLevel = 'TIMESTAMPS' | 'TENSORS'

/** Which requests are traced, and what of them. */
export interface TraceValues {
  /** None: nothing is traced. */
  readonly levels: readonly TraceLevel[]
  /** Of so many requests one. */
  readonly rate: number
  /** So many requests and no more; -1 for all. */
  readonly count: number
  /** Traces per file; 0 for one file. */
  readonly logFrequency: number
}

/** The values of settings by their names; null goes back to what holds elsewhere. */
export type TraceChange = ReadonlyMap<string, readonly string[] | null>

/** What holds when nothing is said. Source: reference §12.4. */
export const DEFAULT_TRACE: TraceValues = { levels: [], rate: 1000, count: -1, logFrequency: 0 }

/** Changes that are kept; null in a change takes one away again. */
export type TraceOverrides = Partial<TraceValues>

/**
 * Applies a change to what has been changed before. Settings that nobody knows are left alone, as Triton does.
 *
 * @throws ServingError in Triton's words.
 */
export function changeOverrides(before: TraceOverrides, change: TraceChange): TraceOverrides {
  if (change.has('trace_file')) {
    const message = 'trace file location can not be updated through network protocol'
    throw new ServingError('UNSUPPORTED', message)
  }
  const next = new Map<string, unknown>(Object.entries(before))
  for (const [setting, member] of Object.entries(MEMBERS)) {
    const values = change.get(setting)
    if (values === undefined) continue
    if (values === null) next.delete(member)
    else if (setting === 'trace_level') {
      const levels = parseLevels(values)
      if (levels !== undefined) next.set(member, levels)
    } else next.set(member, parseInteger(setting, values))
  }
  return Object.fromEntries(next)
}

const MEMBERS = {
  trace_level: 'levels',
  trace_rate: 'rate',
  trace_count: 'count',
  log_frequency: 'logFrequency',
} as const satisfies Record<string, keyof TraceValues>

/** @throws ServingError INVALID_ARG: what they say together cannot be done. */
export function refuseInvalidTrace({ levels, rate }: TraceValues, file: string): void {
  const reason =
    levels.length > 0 && file === ''
      ? 'trace file name is not given'
      : rate === 0
        ? 'sample rate must be non-zero'
        : undefined
  if (reason === undefined) return
  const message = `Attempting to set invalid trace setting :${reason}`
  throw new ServingError('INVALID_ARG', message)
}

/**
 * Parses levels; those that nobody knows say nothing. Undefined when none says anything.
 *
 * @throws ServingError INVALID_ARG: `OFF` beside others.
 */
export function parseLevels(names: readonly string[]): readonly TraceLevel[] | undefined {
  if (names.includes('OFF')) {
    if (names.length === 1) return []
    throw new ServingError('INVALID_ARG', "Expect only one trace level 'OFF' is specified")
  }
  const found = (['TIMESTAMPS', 'TENSORS'] as const).filter((level) => names.includes(level))
  return found.length === 0 ? undefined : found
}

const UINT32_MAX = 2n ** 32n - 1n
const INT32_MAX = 2n ** 31n - 1n

/**
 * Parses a setting that is an integer, as C's `stoi` and `stoul` do: a rate of -1 is the largest there is.
 *
 * @throws ServingError INVALID_ARG
 */
export function parseInteger(setting: string, values: readonly string[]): number {
  const [text, ...more] = values
  if (text === undefined || more.length > 0) {
    throw new ServingError('INVALID_ARG', `expect only 1 value for '${setting}'`)
  }
  const digits = /^\s*([+-]?)(\d+)/.exec(text)
  if (digits === null) {
    throw new ServingError('INVALID_ARG', `Unable to parse '${setting}', got: ${text}`)
  }
  const value = BigInt(digits[2] ?? '') * (digits[1] === '-' ? -1n : 1n)
  const isCount = setting === 'trace_count'
  const [min, max] = isCount ? [-1n, INT32_MAX] : [0n, UINT32_MAX]
  if (isCount && value < min) {
    const message = `Unable to parse '${setting}'. Expecting value >= -1, got:${value}`
    throw new ServingError('INVALID_ARG', message)
  }
  if (value > max || value < -max) {
    throw new ServingError(
      'INVALID_ARG',
      `Unable to parse '${setting}', value is out of range [ ${min}, ${max} ], got: ${text}`,
    )
  }
  return Number(isCount ? value : BigInt.asUintN(32, value))
}

/** Settings as the protocol shows them. */
export function toShownSettings({ levels, rate, count, logFrequency }: TraceValues, file: string) {
  return {
    trace_level: levels.length === 0 ? ['OFF'] : levels,
    trace_rate: String(rate),
    trace_count: String(count),
    log_frequency: String(logFrequency),
    trace_file: file,
    trace_mode: 'triton',
  }
}
