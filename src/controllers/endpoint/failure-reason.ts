import type { StartFailure } from '../../domain/fleet.ts'

// Source: SageMaker API reference, DescribeEndpoint `FailureReason`: at most 1024 characters.
const FAILURE_REASON_CHARS_MAX = 1024

/**
 * `FailureReason` of an endpoint whose variant does not start: SageMaker's sentence where it has one for this cause,
 * always followed by the cause itself.
 *
 * Source: FailureReason texts as users quote them (reference, control plane 6.4).
 */
export function describeStartFailure(variantName: string, failure: StartFailure): string {
  return bound(describeCause(variantName, failure))
}

/** `FailureReason` when the time for a deployment passed without a failure that ends it. */
export function describeOverdue(
  variantName: string,
  counts: { readonly readyCount: number; readonly desiredCount: number },
  windowMs: number,
  lastFailure: StartFailure | undefined,
): string {
  const { readyCount, desiredCount } = counts
  const text =
    `Only ${readyCount} of ${desiredCount} instances of production variant ${variantName} ` +
    `were ready within ${windowMs / 1000} s.`
  if (lastFailure === undefined) return bound(text)
  return bound(`${text} ${describeCause(variantName, lastFailure)}`)
}

function describeCause(variantName: string, { cause, reason }: StartFailure): string {
  switch (cause) {
    case 'ping':
      return (
        `The primary container for production variant ${variantName} did not pass the ping health check. ` +
        `Please check CloudWatch logs for this endpoint. Cause: it ${reason}`
      )
    case 'image':
      return (
        `Please make sure all images included in the model for the production variant ${variantName} exist, and that ` +
        `the execution role used to create the model has permissions to access them. Cause: ${reason}`
      )
    case 'exited':
      return `The primary container for production variant ${variantName} ${reason}`
    case 'model-data':
    case 'capacity':
      return reason
  }
}

function bound(text: string): string {
  if (text.length <= FAILURE_REASON_CHARS_MAX) return text
  return `${text.slice(0, FAILURE_REASON_CHARS_MAX - 1)}…`
}
