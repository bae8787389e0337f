import { BerthError } from '../domain/errors.ts'

/** Where a model failed. */
export interface ModelErrorPlace {
  readonly region: string
  readonly accountId: string
  readonly endpointName: string
  /** `primary` for a single-container model, otherwise the container's hostname. */
  readonly containerName: string
}

/** How a container failed to answer. */
export type ContainerFailure =
  /** It answered, but not with 2xx. The body is its own, as text. */
  | { readonly kind: 'status'; readonly status: number; readonly body: string }
  /** It answered with an error whose body is too large to relay. */
  | { readonly kind: 'status-without-body'; readonly status: number }
  | { readonly kind: 'timed-out' }
  /** It exited, or broke the connection before its answer was complete. */
  | { readonly kind: 'broken' }

/**
 * The ModelError for a container's failure, sentence and members as the service writes them.
 *
 * `OriginalStatusCode` is 0 when the container gave none. `LogStreamArn` holds the ARN of a log group: so it is on AWS.
 *
 * Source: data-plane reference §2.5 and §2.6.
 */
export function modelError(failure: ContainerFailure, place: ModelErrorPlace): BerthError {
  const { region, accountId, endpointName, containerName } = place
  const status = 'status' in failure ? failure.status : 0
  const isClientError = status >= 300 && status < 500
  const logGroup = `/aws/sagemaker/Endpoints/${endpointName}`
  const original = originalMessage(failure, containerName)
  const head = `Received ${isClientError ? 'client' : 'server'} error (${status}) from ${containerName}`
  const cause =
    failure.kind === 'status-without-body'
      ? ' and could not load the entire response body'
      : ` with message "${original}"`
  const where = `See https://${region}.console.aws.amazon.com/cloudwatch/home?region=${region}#logEventViewer:group=${logGroup} in account ${accountId} for more information.`
  return new BerthError('ModelError', `${head}${cause}. ${where}`, {
    members: {
      ErrorCode: isClientError ? 'CLIENT_ERROR_FROM_MODEL' : 'INTERNAL_FAILURE_FROM_MODEL',
      LogStreamArn: `arn:aws:logs:${region}:${accountId}:log-group:${logGroup}`,
      OriginalMessage: original,
      OriginalStatusCode: status,
    },
  })
}

/** What one container of a pipeline answered that the next may not be given. */
export interface StepExcess {
  readonly byteCount: number
  /** Of the answer. */
  readonly status: number
  readonly nextContainerName: string
}

/**
 * The ModelError for a step of a pipeline that answered too much for the next; the sentence is AWS's, the members are as
 * in {@link modelError}.
 *
 * Source: data-plane reference §8.4 (which members there are is not known).
 */
export function stepRequestTooLarge(
  { byteCount, status, nextContainerName }: StepExcess,
  { region, accountId, endpointName, containerName }: ModelErrorPlace,
): BerthError {
  const received = `Received response from ${containerName} with status code ${status}.`
  const excess = `However, the request payload from ${containerName} to ${nextContainerName} is ${byteCount} bytes, which has exceeded the maximum limit of 5 MB.`
  const message = `${received} ${excess} See the SageMaker documentation for more information.`
  const logGroup = `/aws/sagemaker/Endpoints/${endpointName}`
  return new BerthError('ModelError', message, {
    members: {
      ErrorCode: 'INTERNAL_FAILURE_FROM_MODEL',
      LogStreamArn: `arn:aws:logs:${region}:${accountId}:log-group:${logGroup}`,
      OriginalMessage: message,
      OriginalStatusCode: status,
    },
  })
}

function originalMessage(failure: ContainerFailure, containerName: string): string {
  switch (failure.kind) {
    case 'status':
      return failure.body
    case 'status-without-body':
      return ''
    case 'timed-out':
      return `Your invocation timed out while waiting for a response from container ${containerName}. Review the latency metrics for each container in Amazon CloudWatch, resolve the issue, and try again.`
    case 'broken':
      return 'An error occurred while handling request as the model process exited.'
  }
}
