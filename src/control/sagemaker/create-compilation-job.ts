import { randomBytes } from 'node:crypto'
import { encodeArn } from '../../domain/arn.ts'
import type { CompilationJob } from '../../domain/compilation-job.ts'
import { storeShape } from '../../wire/sagemaker-operations.ts'
import type { OperationShapes } from '../../wire/sagemaker-operations.ts'
import { compilationSourceOf, inputConfigOf, outputOf, targetOf } from './compilation-input.ts'
import { compilationOptionsOf, inputShapesOf } from './compilation-options.ts'
import { COMPILATION_ROWS, refuseNotOffered } from './not-offered.ts'
import type { Operation, OperationContext } from './operation.ts'
import { inUse } from './refusals.ts'
import { tagsOf } from './tags.ts'

// Source: SageMaker API reference, `StoppingCondition`: one day when it is not given.
const MAX_RUNTIME_SECONDS_DEFAULT = 86_400

/**
 * Records the wish to compile a model. What is wrong with the model, or with what it is compiled for, is told by the job,
 * which fails; what is wrong with the request is refused.
 */
export const createCompilationJob: Operation<'CreateCompilationJob'> = {
  name: 'CreateCompilationJob',
  async run(input, context) {
    const { installation, store } = context
    refuseNotOffered(COMPILATION_ROWS, input)
    const job = jobOf(input, context)
    const tags = tagsOf(input.Tags)
    if (!(await store.insertCompilationJob(job, tags))) {
      throw inUse(installation, 'compilation-job', job.name)
    }
    return { CompilationJobArn: job.arn }
  },
}

function jobOf(
  input: OperationShapes['CreateCompilationJob']['input'],
  { installation, clock }: OperationContext,
): CompilationJob {
  const { CompilationJobName: name, StoppingCondition } = input
  const { S3Uri, Framework, DataInputConfig } = inputConfigOf(input)
  const source = compilationSourceOf(S3Uri)
  const target = targetOf(input)
  const nowMs = clock.nowMs()
  const { Tags: _tags, ...request } = input
  const maxRuntimeSeconds = StoppingCondition.MaxRuntimeInSeconds ?? MAX_RUNTIME_SECONDS_DEFAULT
  return {
    name,
    arn: encodeArn(installation, 'compilation-job', name),
    jobId: randomBytes(6).toString('hex'),
    createdAtMs: nowMs,
    modifiedAtMs: nowMs,
    status: 'STARTING',
    startedAtMs: undefined,
    endedAtMs: undefined,
    failureReason: undefined,
    attemptCount: 0,
    framework: Framework,
    target,
    source,
    output: outputOf(input, source, target),
    options: compilationOptionsOf(input.OutputConfig.CompilerOptions),
    shapes: inputShapesOf(DataInputConfig),
    maxRuntimeMs: maxRuntimeSeconds * 1000,
    compiled: undefined,
    request: storeShape('CreateCompilationJob', request),
    revision: 0,
  }
}
