import type { Installation } from '../../domain/arn.ts'
import type { ModelDataSource } from '../../domain/model.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Store } from '../../ports/store.ts'
import type { OperationName, OperationShapes } from '../../wire/sagemaker-operations.ts'

/** What operations take from the rest of Berth. */
export interface OperationDeps {
  readonly installation: Installation
  readonly store: Store
  readonly clock: Clock
  /** Whether the configured runtime can run the image. */
  readonly isImageOffered: (image: string) => boolean
  /** The built-in images, for the refusal of another one. */
  readonly offeredImages: readonly string[]
  /** Why a model's data cannot be used, in AWS's words (`Could not find model data at s3://….`). */
  readonly findModelDataProblem: (source: ModelDataSource) => Promise<string | undefined>
  /** A text file of a model's data; undefined when it has none of this name. @throws BerthError unfit model data. */
  readonly readModelFile: (
    source: ModelDataSource,
    name: string,
    signal: AbortSignal,
  ) => Promise<string | undefined>
  /** How long DescribeEndpoint waits for a change in progress to settle. */
  readonly describeHoldMs: number
}

/** What one call of an operation may use. */
export interface OperationContext extends OperationDeps {
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal
}

/** One operation of the SageMaker API. */
export interface Operation<Name extends OperationName> {
  readonly name: Name
  /** @throws BerthError: the refusal the caller gets. */
  run(
    input: OperationShapes[Name]['input'],
    context: OperationContext,
  ): Promise<OperationShapes[Name]['output']>
}
