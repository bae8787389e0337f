import type { CompilationJob } from '../../domain/compilation-job.ts'
import { restoreShape } from '../../wire/sagemaker-operations.ts'
import type { Operation } from './operation.ts'
import { noSuchJob } from './refusals.ts'

// What runs what was compiled.
const INFERENCE_IMAGE = 'berth/onnx'

/** Tells what a compilation job was given and how far it is. The service model wants some members before they mean anything. */
export const describeCompilationJob: Operation<'DescribeCompilationJob'> = {
  name: 'DescribeCompilationJob',
  async run({ CompilationJobName: name }, { installation, store }) {
    const job = await store.findCompilationJob(name)
    if (job === undefined) throw noSuchJob(installation, 'compilation-job', name)
    const { InputConfig, ...request } = restoreShape('CreateCompilationJob', job.request)
    return {
      ...request,
      InputConfig,
      CompilationJobName: job.name,
      CompilationJobArn: job.arn,
      CompilationJobStatus: job.status,
      CompilationStartTime: dateOf(job.startedAtMs),
      CompilationEndTime: dateOf(job.endedAtMs),
      CreationTime: new Date(job.createdAtMs),
      LastModifiedTime: new Date(job.modifiedAtMs),
      FailureReason: job.failureReason ?? '',
      InferenceImage: INFERENCE_IMAGE,
      ...artefactsOf(job),
    }
  },
}

function artefactsOf({ output, compiled }: CompilationJob) {
  return {
    ModelArtifacts: { S3ModelArtifacts: `s3://${output.bucketName}/${output.key}` },
    ModelDigests: compiled && { ArtifactDigest: compiled.digest },
    DerivedInformation: compiled && { DerivedDataInputConfig: compiled.inputConfig },
  }
}

function dateOf(epochMs: number | undefined): Date | undefined {
  return epochMs === undefined ? undefined : new Date(epochMs)
}
