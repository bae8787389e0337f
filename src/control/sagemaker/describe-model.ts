import { restoreShape } from '../../wire/sagemaker-operations.ts'
import type { Operation } from './operation.ts'
import { notFound } from './refusals.ts'

/** Echoes what the model was created with. */
export const describeModel: Operation<'DescribeModel'> = {
  name: 'DescribeModel',
  async run({ ModelName }, { installation, store }) {
    const model = await store.findModel(ModelName)
    if (model === undefined) throw notFound(installation, 'model', ModelName)
    const { EnableNetworkIsolation = false, ...request } = restoreShape(
      'CreateModel',
      model.request,
    )
    return {
      ...request,
      EnableNetworkIsolation,
      ModelArn: model.arn,
      CreationTime: new Date(model.createdAtMs),
      DeploymentRecommendation: { RecommendationStatus: 'NOT_APPLICABLE' },
    }
  },
}
