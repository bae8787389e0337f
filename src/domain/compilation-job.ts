import type { CompilationOptions, InputShapes } from './compilation-options.ts'
import type { JsonObject } from './json.ts'
import type { ModelDataSource } from './model.ts'

/**
 * Statuses of a compilation job.
 *
 * ```text
 * CreateCompilationJob → STARTING ─a place is free→ INPROGRESS ─→ COMPLETED | FAILED
 * STARTING | INPROGRESS ─StopCompilationJob→ STOPPING ─its program is gone→ STOPPED
 * ```
 *
 * Source: SageMaker API reference, DescribeCompilationJob `CompilationJobStatus`.
 */
export const COMPILATION_STATUSES = [
  'INPROGRESS',
  'COMPLETED',
  'FAILED',
  'STARTING',
  'STOPPING',
  'STOPPED',
] as const

/** One of {@link COMPILATION_STATUSES}. */
export type CompilationStatus = (typeof COMPILATION_STATUSES)[number]

/** What a model is compiled for: a device, or a platform in one word; both as SageMaker spells them. */
export type CompilationTarget =
  | { readonly kind: 'device'; readonly device: string }
  | {
      readonly kind: 'platform'
      readonly os: string
      readonly arch: string
      readonly accelerator: string | undefined
    }

/** An object to be written. */
export interface OutputAddress {
  readonly bucketName: string
  readonly key: string
}

/** What came of a compilation that succeeded. */
export interface CompiledModel {
  /** `sha256:…` of the archive. */
  readonly digest: string
  /** Shapes of the model's inputs, JSON. */
  readonly inputConfig: string
}

/** One optimisation of a model for the machine it will run on. */
export interface CompilationJob {
  readonly name: string
  readonly arn: string
  /** Unique for ever, unlike the name; random lower-case hex, 12 characters. */
  readonly jobId: string
  readonly createdAtMs: number
  readonly modifiedAtMs: number
  readonly status: CompilationStatus
  /** Of the newest attempt. */
  readonly startedAtMs: number | undefined
  readonly endedAtMs: number | undefined
  readonly failureReason: string | undefined
  /** How often it was begun: control may have ended meanwhile. */
  readonly attemptCount: number
  readonly framework: string
  readonly target: CompilationTarget
  readonly source: ModelDataSource
  readonly output: OutputAddress
  readonly options: CompilationOptions
  readonly shapes: InputShapes
  readonly maxRuntimeMs: number
  readonly compiled: CompiledModel | undefined
  /** What CreateCompilationJob was given, in its wire spelling and without tags. */
  readonly request: JsonObject
  /** Counts every write; a write names the revision it saw. */
  readonly revision: number
}

/** Whether nothing will happen to the job any more. */
export function isOver(status: CompilationStatus): boolean {
  return status === 'COMPLETED' || status === 'FAILED' || status === 'STOPPED'
}

/** The target in one word, as names of artefacts have it: `ml_c5`, `LINUX_X86_64`. */
export function targetName(target: CompilationTarget): string {
  if (target.kind === 'device') return target.device
  return [target.os, target.arch, target.accelerator].filter(Boolean).join('_')
}

/** `<prefix>/<model>-<target>.tar.gz`. Source: SageMaker developer guide, compiled artefacts. */
export function outputKeyOf(prefix: string, sourceUrl: string, target: CompilationTarget): string {
  const file = sourceUrl.replace(/\/+$/, '').split('/').at(-1) ?? ''
  const stem = file.replace(/(\.tar)?\.(gz|tgz|onnx)$|\.tgz$/, '') || 'model'
  const folder = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`
  return `${folder}${stem}-${targetName(target)}.tar.gz`
}

/** Where the report lies: beside the archive. */
export function reportKeyOf(outputKey: string): string {
  return outputKey.replace(/\.tar\.gz$/, '.report.json')
}

/** Why this installation cannot compile the job, in the words of a FailureReason, or `undefined`. */
export function findCompilationProblem(
  { framework, target }: Pick<CompilationJob, 'framework' | 'target'>,
  machineArch: string,
): string | undefined {
  if (framework !== 'ONNX') {
    return `ClientError: InputConfiguration: Berth compiles models of the framework ONNX, not ${framework}. Export the model to ONNX.`
  }
  const arch = archOf(target)
  const name = targetName(target)
  if (arch === undefined) {
    return `ClientError: OutputConfiguration: Berth compiles for the processor of its own machine (${machineArch}); ${name} is another device.`
  }
  if (arch === machineArch) return undefined
  return `ClientError: OutputConfiguration: ${name} has a processor of the kind ${arch}, and this machine is ${machineArch}. A model is optimised and measured where it will run.`
}

// Source: EC2 instance families: those with `g` behind the number are Graviton.
function archOf(target: CompilationTarget): string | undefined {
  if (target.kind === 'device') {
    return /^ml_[mc]\d+(g?)$/
      .exec(target.device)?.[1]
      ?.replace(/^$/, 'X86_64')
      .replace('g', 'ARM64')
  }
  if (target.os !== 'LINUX' || target.accelerator !== undefined) return undefined
  return target.arch
}
