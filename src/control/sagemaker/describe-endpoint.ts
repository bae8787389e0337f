import { endpointDescriptionOf } from './endpoint-description.ts'
import { findSettledEndpoint } from './hold.ts'
import type { Operation } from './operation.ts'
import { notFound } from './refusals.ts'

/** Describes an endpoint; about a change that has only begun it answers when it has settled, or shortly after. */
export const describeEndpoint: Operation<'DescribeEndpoint'> = {
  name: 'DescribeEndpoint',
  async run({ EndpointName }, context) {
    const endpoint = await findSettledEndpoint(EndpointName, context)
    if (endpoint === undefined) throw notFound(context.installation, 'endpoint', EndpointName)
    return endpointDescriptionOf(endpoint)
  },
}
