import type { Operation } from './operation.ts'
import { parseListInput } from './pages.ts'

/** Lists models, newest first unless told otherwise. */
export const listModels: Operation<'ListModels'> = {
  name: 'ListModels',
  async run(input, { store }) {
    const { query, encodeToken } = parseListInput('ListModels', input)
    const { items, next } = await store.listModels(query)
    return {
      Models: items.map(({ name, arn, createdAtMs }) => ({
        ModelName: name,
        ModelArn: arn,
        CreationTime: new Date(createdAtMs),
      })),
      NextToken: encodeToken(next),
    }
  },
}
