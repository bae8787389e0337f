import { BerthError } from '../domain/errors.ts'
import type { RoutePart, VariantRoute } from '../domain/routes.ts'
import type { InvocationHead } from '../wire/runtime-request.ts'

/** What of an invocation's head says which container it is for. */
export type ContainerTarget = Pick<InvocationHead, 'endpointName' | 'targetContainerHostname'>

/**
 * The part of the variant that an invocation goes to: the container that it names where callers name containers, else the
 * variant as a whole.
 *
 * Source: data-plane reference §2.3, §8.3; AWS's texts and codes are not known.
 *
 * @throws BerthError `ValidationError`: it names none where it must, none that there is, or one where none may be named.
 */
export function targetPartOf(variant: VariantRoute, target: ContainerTarget): RoutePart {
  const { endpointName, targetContainerHostname: hostname } = target
  const { directContainers, ...whole } = variant
  if (directContainers === undefined) {
    if (hostname === undefined) return variant
    const what = 'is not a multi-container endpoint with direct invocation and does not support'
    throw refusal(
      'TARGET_CONTAINER_HOSTNAME_HEADER_NOT_SUPPORTED',
      `Endpoint ${endpointName} ${what} target container hostname header.`,
    )
  }
  const names = directContainers.map((container) => container.hostname).join(', ')
  if (hostname === undefined) {
    const what = 'is a multi-container endpoint with direct invocation and requires'
    throw refusal(
      'TARGET_CONTAINER_HOSTNAME_MISSING',
      `Endpoint ${endpointName} ${what} target container hostname header: one of ${names}.`,
    )
  }
  const container = directContainers.find((candidate) => candidate.hostname === hostname)
  if (container === undefined) {
    throw refusal(
      'TARGET_CONTAINER_HOSTNAME_NOT_FOUND',
      `Variant ${variant.variantName} of endpoint ${endpointName} has no container ${hostname}; it has ${names}.`,
    )
  }
  const { instances } = container
  return { ...whole, containerHostname: hostname, directHostname: hostname, instances }
}

function refusal(code: string, message: string): BerthError {
  return new BerthError('ValidationError', message, { members: { ErrorCode: code } })
}
