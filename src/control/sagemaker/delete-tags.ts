import type { Operation } from './operation.ts'
import { noSuchResource, storedArnOf } from './tags.ts'

/** Removes tags by key; keys that are not there are ignored. */
export const deleteTags: Operation<'DeleteTags'> = {
  name: 'DeleteTags',
  async run({ ResourceArn, TagKeys }, { installation, store }) {
    const arn = storedArnOf(installation, ResourceArn)
    const outcome = await store.updateTags(arn, {}, TagKeys)
    if (outcome.kind === 'no-such-resource') throw noSuchResource(ResourceArn)
    return {}
  },
}
