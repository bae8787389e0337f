import type { Operation } from './operation.ts'
import { invalid } from './refusals.ts'
import { noSuchResource, storedArnOf, tagListOf, tagsOf } from './tags.ts'

/** Adds tags or replaces their values; answers all tags of the resource. */
export const addTags: Operation<'AddTags'> = {
  name: 'AddTags',
  async run({ ResourceArn, Tags }, { installation, store }) {
    const arn = storedArnOf(installation, ResourceArn)
    const outcome = await store.updateTags(arn, tagsOf(Tags), [])
    switch (outcome.kind) {
      case 'updated':
        return { Tags: tagListOf(outcome.tags) }
      case 'no-such-resource':
        throw noSuchResource(ResourceArn)
      case 'too-many':
        throw invalid(
          `"${ResourceArn}" would have ${outcome.tagCount} tags; a resource may have 50 at most.`,
        )
    }
  },
}
