import { restoreShape } from '../../wire/sagemaker-operations.ts'
import type { Operation } from './operation.ts'
import { notFound } from './refusals.ts'

/** Echoes what the endpoint config was created with, weights filled in. */
export const describeEndpointConfig: Operation<'DescribeEndpointConfig'> = {
  name: 'DescribeEndpointConfig',
  async run({ EndpointConfigName }, { installation, store }) {
    const config = await store.findEndpointConfig(EndpointConfigName)
    if (config === undefined) throw notFound(installation, 'endpoint-config', EndpointConfigName)
    return {
      ...restoreShape('CreateEndpointConfig', config.request),
      EndpointConfigArn: config.arn,
      CreationTime: new Date(config.createdAtMs),
    }
  },
}
