import type { Operation } from './operation.ts'
import { parseListInput } from './pages.ts'

/** Lists endpoints, newest first unless told otherwise. */
export const listEndpoints: Operation<'ListEndpoints'> = {
  name: 'ListEndpoints',
  async run(input, { store }) {
    const { query, encodeToken } = parseListInput('ListEndpoints', input)
    const { items, next } = await store.listEndpoints(query)
    return {
      Endpoints: items.map(({ name, arn, createdAtMs, modifiedAtMs, status }) => ({
        EndpointName: name,
        EndpointArn: arn,
        CreationTime: new Date(createdAtMs),
        LastModifiedTime: new Date(modifiedAtMs),
        EndpointStatus: status,
      })),
      NextToken: encodeToken(next),
    }
  },
}
