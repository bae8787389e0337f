import type { CompilationTarget, OutputAddress } from '../../domain/compilation-job.ts'
import { outputKeyOf } from '../../domain/compilation-job.ts'
import type { ModelDataSource } from '../../domain/model.ts'
import type { OperationShapes } from '../../wire/sagemaker-operations.ts'
import { invalid } from './refusals.ts'

type JobInput = OperationShapes['CreateCompilationJob']['input']
type InputConfig = NonNullable<JobInput['InputConfig']>

/** @throws BerthError `ValidationException` */
export function inputConfigOf({ InputConfig, ModelPackageVersionArn }: JobInput): InputConfig {
  if (InputConfig !== undefined && ModelPackageVersionArn !== undefined) {
    throw invalid('InputConfig and ModelPackageVersionArn cannot be specified at the same time.')
  }
  if (InputConfig !== undefined) return InputConfig
  if (ModelPackageVersionArn === undefined) {
    throw invalid('Either InputConfig or ModelPackageVersionArn must be specified.')
  }
  throw invalid(
    "This version of Berth does not offer the model registry; 'modelPackageVersionArn' asks for it.",
  )
}

/** A `.onnx` object, a prefix that ends in `/`, or else an archive. */
export function compilationSourceOf(url: string): ModelDataSource {
  if (url.endsWith('/')) return { kind: 'prefix', url }
  return { kind: url.endsWith('.onnx') ? 'object' : 'archive', url }
}

/** @throws BerthError `ValidationException`: none of the two, or both. */
export function targetOf({ OutputConfig }: JobInput): CompilationTarget {
  const { TargetDevice: device, TargetPlatform: platform } = OutputConfig
  if (device !== undefined && platform === undefined) return { kind: 'device', device }
  if (platform !== undefined && device === undefined) {
    const { Os, Arch, Accelerator } = platform
    return { kind: 'platform', os: Os, arch: Arch, accelerator: Accelerator }
  }
  throw invalid(
    'OutputConfig needs either TargetDevice or TargetPlatform, and not both. This machine is {"Os": "LINUX", "Arch": "X86_64"} or {"Os": "LINUX", "Arch": "ARM64"}.',
  )
}

/** @throws BerthError `ValidationException`: not `s3://bucket/…`. */
export function outputOf(
  { OutputConfig }: JobInput,
  source: ModelDataSource,
  target: CompilationTarget,
): OutputAddress {
  const url = OutputConfig.S3OutputLocation
  const [, bucketName, prefix = ''] = /^s3:\/\/([^/]+)(?:\/(.*))?$/s.exec(url) ?? []
  if (bucketName !== undefined) return { bucketName, key: outputKeyOf(prefix, source.url, target) }
  throw invalid(`S3OutputLocation "${url}" must be s3://BUCKET or s3://BUCKET/PREFIX.`)
}
