import { BerthError, isBerthError } from '../../domain/errors.ts'
import type { ModelFailure } from '../../domain/multi-model/model-messages.ts'
import type { ContainerAnswer } from '../../ports/model-container.ts'

/** No memory is left in the container, or no room on the disk, and nothing may go: not the model's fault, and may pass soon. */
export class NoRoom extends BerthError {
  constructor(message: string) {
    super('ServiceUnavailable', message)
  }
}

/** What callers are told of a load that the container did not carry out. */
export function loadFailure(targetModel: string, answer: ContainerAnswer): BerthError {
  switch (answer.kind) {
    case 'full':
      return new NoRoom(`Model ${targetModel} does not fit into the instance: ${answer.detail}`)
    case 'refused':
      return new BerthError(
        'ModelError',
        `Model ${targetModel} could not be loaded: ${answer.detail}`,
        {
          members: { OriginalStatusCode: answer.status, OriginalMessage: answer.detail },
        },
      )
    case 'unreachable':
      return new BerthError(
        'ServiceUnavailable',
        `The instance did not load model ${targetModel}: ${answer.detail}`,
      )
    case 'absent':
    case 'present':
    case 'done':
      return new BerthError(
        'ModelError',
        `Model ${targetModel} could not be loaded: the container knows no model calls.`,
        {
          members: { OriginalStatusCode: 404, OriginalMessage: '' },
        },
      )
  }
}

/** A failure as gateways are told of it. */
export function failureOf(error: unknown, targetModel: string): ModelFailure {
  if (!isBerthError(error)) {
    return {
      code: 'InternalDependencyException',
      message: `Model ${targetModel} could not be fetched.`,
    }
  }
  const members: Record<string, string | number> = {}
  for (const [name, value] of Object.entries(error.members)) {
    if (typeof value === 'string' || typeof value === 'number') members[name] = value
  }
  return { code: error.code, message: error.message, members }
}

/** The error that a failure was. */
export function errorOf({ code, message, members }: ModelFailure): BerthError {
  return new BerthError(code, message, members === undefined ? {} : { members })
}
