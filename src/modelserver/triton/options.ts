import type { ControlMode } from './inference-server.ts'
import { StartFailure } from '../start-failure.ts'
import type { LogValues } from './log-settings.ts'
import { readTraceOptions } from './trace/trace-flags.ts'
import type { TraceOptions } from './trace/tracing.ts'
import { FLAGS } from './flags.ts'
import type { FlagName } from './flags.ts'
import { parseBackendSettings } from './backend-settings.ts'
import type { BackendSettings } from './backend-settings.ts'
import { readCacheBytes, readResourceSizes } from './shared-options.ts'

/** What the command line of the model server says. */
export interface TritonOptions {
  readonly id: string
  readonly repositories: readonly string[]
  readonly controlMode: ControlMode
  readonly loadNames: readonly string[]
  readonly pollMs: number
  readonly isAutoCompleting: boolean
  readonly configName: string
  readonly loadThreadCount: number
  readonly isReadinessStrict: boolean
  readonly exitsOnError: boolean
  readonly exitTimeoutMs: number
  readonly http: Listening
  readonly grpc: Listening
  readonly metrics: Listening
  readonly inputBytesMax: number
  /** Bytes of replies of one stream that its client may leave unread. */
  readonly unreadBytesMax: number
  readonly backends: BackendSettings
  /** Bytes of answers that are kept; 0 for none. */
  readonly cacheBytes: number
  /** Sizes of resources by name; undefined: instances run when they are free. */
  readonly resourceSizes: ReadonlyMap<string, number> | undefined
  /** How long the thread of one model may run what an ensemble asks of others next, in microseconds; 0: never. */
  readonly runAheadUsMax: number
  /** Whether clients may keep tensors in memory that the server reads and writes too. */
  readonly sharesMemory: boolean
  readonly trace: TraceOptions
  readonly log: LogValues
}

/** Where a front end listens, if it does. */
export interface Listening {
  readonly isAllowed: boolean
  readonly address: string
  readonly port: number
}

/**
 * Parses the flags of `tritonserver`: `--flag=value` or `--flag value`.
 *
 * @throws StartFailure `badOptions`: with every problem in one message.
 */
export function parseTritonOptions(args: readonly string[]): TritonOptions {
  const problems: string[] = []
  const values = readFlags(args, problems)
  const read = createReaders(values, problems)
  const repositories = [
    ...(values.get('model-repository') ?? []),
    ...(values.get('model-store') ?? []),
  ]
  if (repositories.length === 0) problems.push('--model-repository must be given')
  const loadNames = values.get('load-model') ?? []
  const controlMode = read.choice('model-control-mode', ['none', 'poll', 'explicit'])
  if (loadNames.length > 0 && controlMode !== 'explicit') {
    problems.push('--load-model needs --model-control-mode=explicit')
  }
  if (loadNames.includes('*') && loadNames.length > 1) {
    problems.push('--load-model=* must be the only --load-model, for it means all of them')
  }
  const options: TritonOptions = {
    id: read.text('id'),
    repositories,
    controlMode,
    loadNames,
    pollMs: read.integer('repository-poll-secs', 0, 86_400) * 1000,
    isAutoCompleting: !values.has('disable-auto-complete-config'),
    configName: read.text('model-config-name'),
    loadThreadCount: read.integer('model-load-thread-count', 1, 64),
    isReadinessStrict: read.boolean('strict-readiness'),
    exitsOnError: read.boolean('exit-on-error'),
    exitTimeoutMs: read.integer('exit-timeout-secs', 0, 86_400) * 1000,
    ...readListening(values, read),
    inputBytesMax: read.integer('http-max-input-size', 1, 2 ** 31 - 1),
    unreadBytesMax: read.integer('stream-unread-bytes', 0, 2 ** 40),
    backends: parseBackendSettings(values.get('backend-config') ?? [], problems),
    cacheBytes: readCacheBytes(values, problems),
    resourceSizes: readResourceSizes(
      read.choice('rate-limit', ['off', 'execution_count']) === 'execution_count',
      values.get('rate-limit-resource') ?? [],
      problems,
    ),
    runAheadUsMax: read.integer('ensemble-run-ahead-us', 0, 1_000_000),
    sharesMemory: read.boolean('allow-client-shm'),
    trace: readTraceOptions(values, problems),
    log: readLogValues(read, problems),
  }
  if (problems.length > 0) throw new StartFailure('badOptions', problems.join('; '))
  return options
}

type Values = ReadonlyMap<string, readonly string[]>
function readListening(
  values: Values,
  read: ReturnType<typeof createReaders>,
): Pick<TritonOptions, 'http' | 'grpc' | 'metrics'> {
  const httpAddress = read.text('http-address')
  return {
    http: {
      isAllowed: read.boolean('allow-http'),
      address: httpAddress,
      port: read.integer('http-port', 0, 65_535),
    },
    grpc: {
      isAllowed: read.boolean('allow-grpc'),
      address: read.text('grpc-address'),
      port: read.integer('grpc-port', 0, 65_535),
    },
    metrics: {
      isAllowed: read.boolean('allow-metrics'),
      address: values.has('metrics-address') ? read.text('metrics-address') : httpAddress,
      port: read.integer('metrics-port', 0, 65_535),
    },
  }
}

function readFlags(args: readonly string[], problems: string[]): Values {
  const values = new Map<string, string[]>()
  for (let at = 0; at < args.length; at += 1) {
    const [, name = '', given] = /^--([^=]+)(?:=(.*))?$/s.exec(args[at] ?? '') ?? []
    const flag = findFlag(name)
    if (flag === undefined) {
      problems.push(`${args[at]} is not a flag of the model server`)
      continue
    }
    const value = flag.isBare ? (given ?? 'true') : (given ?? args[(at += 1)])
    if (value === undefined) problems.push(`--${name} needs a value`)
    else if (flag.refusal !== undefined && !flag.accepted?.includes(value.toLowerCase())) {
      problems.push(`--${name}: ${flag.refusal}`)
    } else values.set(name, [...(values.get(name) ?? []), value])
  }
  return values
}

interface Flag {
  readonly default?: string
  readonly isBare?: boolean
  readonly refusal?: string
  readonly accepted?: readonly string[]
}

function findFlag(name: string): Flag | undefined {
  return Object.hasOwn(FLAGS, name)
    ? Object.entries<Flag>(FLAGS).find(([key]) => key === name)?.[1]
    : undefined
}

function createReaders(values: Values, problems: string[]) {
  const text = (name: FlagName): string => values.get(name)?.at(-1) ?? findFlag(name)?.default ?? ''
  return {
    text,
    integer: (name: FlagName, min: number, max: number): number => {
      const value = /^\d{1,15}$/.test(text(name)) ? Number(text(name)) : Number.NaN
      if (value >= min && value <= max) return value
      problems.push(`--${name} must be an integer from ${min} to ${max}, not ${text(name)}`)
      return min
    },
    boolean: (name: FlagName): boolean => {
      const given = text(name).toLowerCase()
      if (['true', 'on', '1'].includes(given)) return true
      if (['false', 'off', '0'].includes(given)) return false
      problems.push(`--${name} must be true or false, not ${text(name)}`)
      return false
    },
    choice: <T extends string>(name: FlagName, choices: readonly [T, ...T[]]): T => {
      const found = choices.find((choice) => choice === text(name))
      if (found !== undefined) return found
      problems.push(`--${name} must be one of ${choices.join(', ')}, not ${text(name)}`)
      return choices[0]
    },
  }
}

function readLogValues(read: ReturnType<typeof createReaders>, problems: string[]): LogValues {
  return {
    log_file: read.text('log-file'),
    log_info: read.boolean('log-info'),
    log_warning: read.boolean('log-warning'),
    log_error: read.boolean('log-error'),
    log_verbose_level: readVerboseLevel(read.text('log-verbose'), problems),
    log_format: read.choice('log-format', ['default', 'ISO8601']),
  }
}

// Source: Triton takes a level, or a truth that stands for 1 or 0.
function readVerboseLevel(given: string, problems: string[]): number {
  const level = { true: 1, on: 1, false: 0, off: 0 }[given.toLowerCase()] ?? Number(given || 'NaN')
  if (Number.isInteger(level) && level >= 0) return level
  problems.push(`--log-verbose must be an integer from 0, not ${given}`)
  return 0
}
