import type { CompilationJob } from '../../src/domain/compilation-job.ts'
import { DEFAULT_COMPILATION_OPTIONS } from '../../src/domain/compilation-options.ts'

/** A compilation job as CreateCompilationJob records it; fields can be replaced. */
export function compilationJob(fields: Partial<CompilationJob> = {}): CompilationJob {
  const { name = 'job', jobId = `id-${name}`, createdAtMs = 1_700_000_000_000 } = fields
  return {
    name,
    arn: `arn:aws:sagemaker:us-east-1:000000000000:compilation-job/${name.toLowerCase()}`,
    jobId,
    createdAtMs,
    modifiedAtMs: createdAtMs,
    status: 'STARTING',
    startedAtMs: undefined,
    endedAtMs: undefined,
    failureReason: undefined,
    attemptCount: 0,
    framework: 'ONNX',
    target: { kind: 'device', device: 'ml_c5' },
    source: { kind: 'archive', url: 's3://models/m.tar.gz' },
    output: { bucketName: 'models', key: 'm-ml_c5.tar.gz' },
    options: DEFAULT_COMPILATION_OPTIONS,
    shapes: {},
    maxRuntimeMs: 60_000,
    compiled: undefined,
    request: { CompilationJobName: name },
    revision: 0,
    ...fields,
  }
}
