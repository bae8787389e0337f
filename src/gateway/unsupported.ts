import { BerthError } from '../domain/errors.ts'
import type { InvocationHead } from '../wire/runtime-request.ts'

/**
 * Refuses headers that ask for something a plain endpoint does not have; ignoring them would give a wrong answer.
 *
 * Source: data-plane reference §2.6 (target model; the other texts are not documented), §2.7.
 *
 * @throws BerthError `ValidationError`
 */
export function refuseUnsupported(head: InvocationHead, isMultiModel = false): void {
  const { endpointName } = head
  if (head.targetModel !== undefined && !isMultiModel) {
    const what = 'is not a multi-model endpoint and does not support target model header.'
    throw new BerthError('ValidationError', `Endpoint ${endpointName} ${what}`, {
      members: { ErrorCode: 'TARGET_MODEL_HEADER_NOT_SUPPORTED' },
    })
  }
  if (head.inferenceComponentName !== undefined) {
    const what = 'has no inference components and does not support inference component name header.'
    throw refusal(`Endpoint ${endpointName} ${what}`)
  }
  if (head.sessionId !== undefined) {
    const what = 'does not support stateful sessions and does not accept session id header.'
    throw refusal(`Endpoint ${endpointName} ${what}`)
  }
  if (head.enableExplanations !== undefined) {
    const what = 'has no explainer and does not support enable explanations header.'
    throw refusal(`Endpoint ${endpointName} ${what}`)
  }
}

function refusal(message: string): BerthError {
  return new BerthError('ValidationError', message)
}
