import type { Operation } from './operation.ts'
import { invalidToken } from './pages.ts'
import { noSuchResource, storedArnOf, tagListOf } from './tags.ts'

/** All tags of a resource: at most 50, and the smallest page holds 50, so there is never a second page. */
export const listTags: Operation<'ListTags'> = {
  name: 'ListTags',
  async run({ ResourceArn, NextToken }, { installation, store }) {
    if (NextToken !== undefined) throw invalidToken('it was not issued by ListTags')
    const tags = await store.findTags(storedArnOf(installation, ResourceArn))
    if (tags === undefined) throw noSuchResource(ResourceArn)
    return { Tags: tagListOf(tags) }
  },
}
