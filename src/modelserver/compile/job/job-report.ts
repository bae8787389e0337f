import { availableParallelism, cpus } from 'node:os'
import type { CompilationOptions } from '../../../domain/compilation-options.ts'
import { runtimeVersion } from '../../onnx/session.ts'
import type { Converted } from './convert.ts'
import type { OutputDifference } from './measure-difference.ts'
import type { Latency } from './measure-latency.ts'

/** One form of the model, measured. */
export interface MeasuredForm {
  /** The model's file and the files of its weights. */
  readonly bytes: number
  readonly loadMs: number
}

/** What `report.json` says. */
export interface JobReport {
  readonly version: 1
  readonly quantization: string
  readonly before: MeasuredForm
  readonly after: MeasuredForm
  /** One thread, median. */
  readonly latency: readonly Latency[]
  readonly difference: {
    readonly tolerance: number
    /** Share of the worst output; see `OutputDifference`. */
    readonly largestShare: number
    readonly outputs: readonly OutputDifference[]
    readonly samples: { readonly from: string; readonly count: number }
  }
  readonly weights: {
    readonly convertedCount: number
    readonly keptCount: number
    /** Single weights next to zero that became zero. */
    readonly flushedCount: number
    readonly scales?: 'per-channel' | 'per-tensor'
    readonly levelMax?: number
  }
  readonly machine: {
    readonly processor: string
    readonly arch: string
    readonly processorCount: number
    readonly runtime: string
  }
}

/** Everything a report is made of. */
export interface Measurements {
  readonly options: CompilationOptions
  readonly before: MeasuredForm
  readonly after: MeasuredForm
  readonly latency: readonly Latency[]
  readonly differences: readonly OutputDifference[]
  readonly sampleCount: number
  readonly converted: Converted
}

/** Puts the report together. */
export function reportOn(given: Measurements): JobReport {
  const { options, differences, converted } = given
  const { convertedCount, keptCount, flushedCount, levelMax } = converted
  const scales = options.isPerChannel ? 'per-channel' : 'per-tensor'
  return {
    version: 1,
    quantization: options.quantization,
    before: given.before,
    after: given.after,
    latency: given.latency,
    difference: {
      tolerance: options.tolerance,
      largestShare: differences[0]?.share ?? 0,
      outputs: differences,
      samples: { from: options.samples ?? 'random numbers', count: given.sampleCount },
    },
    weights: {
      convertedCount,
      keptCount,
      flushedCount,
      ...(levelMax !== undefined && { scales, levelMax }),
    },
    machine: {
      processor: cpus()[0]?.model ?? 'unknown',
      arch: process.arch,
      processorCount: availableParallelism(),
      runtime: `ONNX Runtime ${runtimeVersion()}`,
    },
  }
}
