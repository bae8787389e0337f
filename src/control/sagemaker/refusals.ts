import { encodeArn } from '../../domain/arn.ts'
import type { Installation, SageMakerResource } from '../../domain/arn.ts'
import { BerthError } from '../../domain/errors.ts'

const NOUNS: Record<SageMakerResource, string> = {
  model: 'model',
  'endpoint-config': 'endpoint configuration',
  endpoint: 'endpoint',
  'compilation-job': 'compilation job',
}

/** SDK waiters rely on this being a ValidationException. */
export function notFound(at: Installation, resource: SageMakerResource, name: string): BerthError {
  return invalid(`Could not find ${NOUNS[resource]} "${encodeArn(at, resource, name)}".`)
}

/** The name is taken, in this or another case. */
export function alreadyExists(
  at: Installation,
  resource: SageMakerResource,
  name: string,
): BerthError {
  const arn = encodeArn(at, resource, name)
  return invalid(`Cannot create already existing ${NOUNS[resource]} "${arn}".`)
}

/** Jobs have an error of their own for a name that nobody has. */
export function noSuchJob(at: Installation, resource: SageMakerResource, name: string): BerthError {
  const arn = encodeArn(at, resource, name)
  return new BerthError('ResourceNotFound', `Could not find ${NOUNS[resource]} "${arn}".`)
}

/** Jobs have an error of their own for a name that is taken. */
export function inUse(at: Installation, resource: SageMakerResource, name: string): BerthError {
  const arn = encodeArn(at, resource, name)
  const message = `Cannot create already existing ${NOUNS[resource]} "${arn}".`
  return new BerthError('ResourceInUse', message)
}

/** The word is *update* for DeleteEndpoint too. */
export function inProgress(arn: string): BerthError {
  return invalid(`Cannot update in-progress endpoint "${arn}".`)
}

/** A request that breaks a rule. */
export function invalid(message: string): BerthError {
  return new BerthError('ValidationException', message)
}
