import { encodeArn } from '../../domain/arn.ts'
import { standInFor } from '../../domain/framework-image.ts'
import type { Container } from '../../domain/model.ts'
import { storeShape } from '../../wire/sagemaker-operations.ts'
import { containersOf } from './containers.ts'
import { executionModeOf } from './execution-mode.ts'
import { MODEL_ROWS, refuseNotOffered } from './not-offered.ts'
import type { Operation, OperationContext } from './operation.ts'
import { alreadyExists, invalid } from './refusals.ts'
import { tagsOf } from './tags.ts'
import { refuseWrongGraph } from './refuse-wrong-graph.ts'

/** Records a model after looking that its image and its model data are there. */
export const createModel: Operation<'CreateModel'> = {
  name: 'CreateModel',
  async run(input, context) {
    const { installation, store, clock } = context
    const { ModelName: name, Tags, ...request } = input
    refuseNotOffered(MODEL_ROWS, input)
    const containers = containersOf(input)
    const executionMode = executionModeOf(input)
    const tags = tagsOf(Tags)
    if ((await store.findModel(name)) !== undefined)
      throw alreadyExists(installation, 'model', name)
    for (const container of containers) {
      await refuseUnusable(container, context)
      await refuseWrongGraph(container, context)
    }

    const arn = encodeArn(installation, 'model', name)
    const model = {
      name,
      arn,
      createdAtMs: clock.nowMs(),
      containers,
      ...(executionMode !== undefined && { executionMode }),
      request: storeShape('CreateModel', { ModelName: name, ...request }),
    }
    if (!(await store.insertModel(model, tags))) throw alreadyExists(installation, 'model', name)
    return { ModelArn: arn }
  },
}

async function refuseUnusable(
  { image, modelData }: Container,
  { isImageOffered, offeredImages, findModelDataProblem }: OperationContext,
): Promise<void> {
  const standIn = standInFor(image)
  if (standIn.kind === 'refused') {
    throw invalid(`Requested image ${image} is not offered by this installation. ${standIn.reason}`)
  }
  if (!isImageOffered(image)) {
    throw invalid(
      `Requested image ${image} not found. Images of this installation: ${offeredImages.join(', ')}.`,
    )
  }
  const problem = modelData === undefined ? undefined : await findModelDataProblem(modelData)
  if (problem !== undefined) throw invalid(problem)
}
