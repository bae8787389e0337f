import type { NodeLimits } from './node/node-backend.ts'
import type { PythonLimits } from './python/python-backend.ts'

/** What `--backend-config` says. */
export interface BackendSettings {
  /** Batch size of ONNX models that do not say one. */
  readonly defaultMaxBatchSize: number
  readonly python: PythonLimits
  /** How long Python environments are kept that nobody uses; 0 for ever. */
  readonly unusedEnvironmentDays: number
  readonly node: NodeLimits
}

interface Setting {
  readonly form: string
  readonly pattern: RegExp
  readonly default: number
}

const SETTINGS = {
  defaultMaxBatchSize: {
    form: '[onnxruntime,]default-max-batch-size=N',
    pattern: /^(?:onnxruntime,)?default-max-batch-size=(\d{1,6})$/,
    default: 4,
  },
  // Source: reference §14; the default is Triton's.
  startSeconds: {
    form: 'python,stub-timeout-seconds=N',
    pattern: /^python,stub-timeout-seconds=([1-9]\d{0,4})$/,
    default: 30,
  },
  // Ours: Triton waits for ever.
  callSeconds: {
    form: 'python,call-timeout-seconds=N',
    pattern: /^python,call-timeout-seconds=(\d{1,6})$/,
    default: 600,
  },
  memoryMegabytes: {
    form: 'python,memory-limit-mb=N',
    pattern: /^python,memory-limit-mb=(\d{1,7})$/,
    default: 0,
  },
  unusedEnvironmentDays: {
    form: 'python,unused-environment-days=N',
    pattern: /^python,unused-environment-days=(\d{1,4})$/,
    default: 30,
  },
  nodeCallSeconds: {
    form: 'node,call-timeout-seconds=N',
    pattern: /^node,call-timeout-seconds=(\d{1,6})$/,
    default: 600,
  },
  nodeHeapMegabytes: {
    form: 'node,heap-limit-mb=N',
    pattern: /^node,heap-limit-mb=([1-9]\d{1,4})$/,
    default: 1024,
  },
} as const satisfies Readonly<Record<string, Setting>>

// What is shared with Triton's stubs goes through a socket: nothing is reserved in advance.
const MEANINGLESS = /^python,shm-(?:default|growth)-byte-size=\d+$/

/** Parses `--backend-config`, once for each time it is given. What is not known would change what a model does. */
export function parseBackendSettings(
  texts: readonly string[],
  problems: string[],
): BackendSettings {
  for (const text of texts) {
    const isKnown = Object.values(SETTINGS).some(({ pattern }) => pattern.test(text))
    if (isKnown || MEANINGLESS.test(text)) continue
    const known = Object.values(SETTINGS).map(({ form }) => form)
    problems.push(`--backend-config=${text}: known are ${known.join(', ')}`)
  }
  const valueOf = ({ pattern, default: fallback }: Setting): number => {
    const last = texts.findLast((text) => pattern.test(text))
    return last === undefined ? fallback : Number(pattern.exec(last)?.[1])
  }
  return {
    defaultMaxBatchSize: valueOf(SETTINGS.defaultMaxBatchSize),
    python: {
      startMsMax: valueOf(SETTINGS.startSeconds) * 1000,
      callMsMax: valueOf(SETTINGS.callSeconds) * 1000,
      memoryBytesMax: valueOf(SETTINGS.memoryMegabytes) * 2 ** 20,
    },
    unusedEnvironmentDays: valueOf(SETTINGS.unusedEnvironmentDays),
    node: {
      callMsMax: valueOf(SETTINGS.nodeCallSeconds) * 1000,
      heapMbMax: valueOf(SETTINGS.nodeHeapMegabytes),
    },
  }
}
