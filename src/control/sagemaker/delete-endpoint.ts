import { changeEndpoint, recordRequest } from './change-endpoint.ts'
import type { Operation } from './operation.ts'

/** Marks the endpoint for deletion; the endpoint controller stops its instances and then removes it. */
export const deleteEndpoint: Operation<'DeleteEndpoint'> = {
  name: 'DeleteEndpoint',
  async run({ EndpointName }, context) {
    const { name } = await changeEndpoint(EndpointName, context, (endpoint) => ({
      ...endpoint,
      modifiedAtMs: context.clock.nowMs(),
      status: 'Deleting',
      deployment: undefined,
    }))
    await recordRequest(context, name, {
      kind: 'delete-requested',
      reason: 'DeleteEndpoint.',
      inputs: {},
    })
    return {}
  },
}
