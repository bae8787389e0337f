import { encodeArn } from '../../domain/arn.ts'
import { storeShape } from '../../wire/sagemaker-operations.ts'
import { CONFIG_ROWS, refuseNotOffered } from './not-offered.ts'
import type { Operation } from './operation.ts'
import { alreadyExists, notFound } from './refusals.ts'
import { tagsOf } from './tags.ts'
import { variantConfigsOf } from './variants.ts'

/** Records an endpoint config. Its models must exist now; endpoints look again when they take it. */
export const createEndpointConfig: Operation<'CreateEndpointConfig'> = {
  name: 'CreateEndpointConfig',
  async run(input, { installation, store, clock }) {
    const { EndpointConfigName: name, Tags, ProductionVariants, ...request } = input
    refuseNotOffered(CONFIG_ROWS, input)
    const variants = variantConfigsOf(ProductionVariants)
    const tags = tagsOf(Tags)
    for (const { modelName } of variants) {
      if ((await store.findModel(modelName)) === undefined) {
        throw notFound(installation, 'model', modelName)
      }
    }

    const arn = encodeArn(installation, 'endpoint-config', name)
    const weighted = ProductionVariants.map((variant) => ({
      ...variant,
      InitialVariantWeight: variant.InitialVariantWeight ?? 1,
    }))
    const config = {
      name,
      arn,
      createdAtMs: clock.nowMs(),
      variants,
      request: storeShape('CreateEndpointConfig', {
        EndpointConfigName: name,
        ProductionVariants: weighted,
        ...request,
      }),
    }
    if (!(await store.insertEndpointConfig(config, tags))) {
      throw alreadyExists(installation, 'endpoint-config', name)
    }
    return { EndpointConfigArn: arn }
  },
}
