import type { Operation } from './operation.ts'
import { notFound } from './refusals.ts'

/** Forgets a model. Endpoints that run it keep running it: a generation has its own copy of the containers. */
export const deleteModel: Operation<'DeleteModel'> = {
  name: 'DeleteModel',
  async run({ ModelName }, { installation, store }) {
    if (!(await store.deleteModel(ModelName))) throw notFound(installation, 'model', ModelName)
    return {}
  },
}
