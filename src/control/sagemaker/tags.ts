import { encodeArn, parseArn } from '../../domain/arn.ts'
import { BerthError } from '../../domain/errors.ts'
import type { Installation } from '../../domain/arn.ts'
import type { Tags } from '../../ports/store.ts'
import { invalid } from './refusals.ts'

interface TagInput {
  readonly Key: string
  readonly Value: string
}

/**
 * Tags of a request, by key.
 *
 * @throws BerthError `ValidationException`: a key twice, or one of the reserved prefix.
 */
export function tagsOf(list: readonly TagInput[] | undefined): Tags {
  const tags = new Map<string, string>()
  for (const { Key, Value } of list ?? []) {
    if (/^aws:/i.test(Key)) {
      throw invalid(`Tag key "${Key}" is not allowed: the prefix "aws:" is reserved.`)
    }
    if (tags.has(Key)) throw invalid(`Tag key "${Key}" was non-unique within the request.`)
    tags.set(Key, Value)
  }
  return Object.fromEntries(tags)
}

/** Tags as replies list them. */
export function tagListOf(tags: Tags): TagInput[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }))
}

/**
 * The ARN as it is stored: ARNs hold names in lower case, callers sometimes do not.
 *
 * @throws BerthError `ResourceNotFound`: not an ARN of this installation.
 */
export function storedArnOf(at: Installation, arn: string): string {
  const parsed = parseArn(at, arn)
  if (parsed === undefined) throw noSuchResource(arn)
  return encodeArn(at, parsed.resource, parsed.name)
}

/** Which of ResourceNotFound and ValidationException AWS answers is not documented. */
export function noSuchResource(arn: string): BerthError {
  return new BerthError('ResourceNotFound', `Could not find resource "${arn}".`)
}
