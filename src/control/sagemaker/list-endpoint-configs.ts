import type { Operation } from './operation.ts'
import { parseListInput } from './pages.ts'

/** Lists endpoint configs, newest first unless told otherwise. */
export const listEndpointConfigs: Operation<'ListEndpointConfigs'> = {
  name: 'ListEndpointConfigs',
  async run(input, { store }) {
    const { query, encodeToken } = parseListInput('ListEndpointConfigs', input)
    const { items, next } = await store.listEndpointConfigs(query)
    return {
      EndpointConfigs: items.map(({ name, arn, createdAtMs }) => ({
        EndpointConfigName: name,
        EndpointConfigArn: arn,
        CreationTime: new Date(createdAtMs),
      })),
      NextToken: encodeToken(next),
    }
  },
}
