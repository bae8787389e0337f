import type { Operation } from './operation.ts'
import { notFound } from './refusals.ts'

/** Forgets an endpoint config, used or not; an endpoint that uses it cannot be updated afterwards. */
export const deleteEndpointConfig: Operation<'DeleteEndpointConfig'> = {
  name: 'DeleteEndpointConfig',
  async run({ EndpointConfigName }, { installation, store }) {
    if (!(await store.deleteEndpointConfig(EndpointConfigName))) {
      throw notFound(installation, 'endpoint-config', EndpointConfigName)
    }
    return {}
  },
}
