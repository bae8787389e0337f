import { BerthError } from '../../domain/errors.ts'
import { childText, element, malformedXml } from './xml.ts'
import type { Xml, XmlElement } from './xml.ts'

const TAGS_MAX = 10
const KEY_LENGTH_MAX = 128
const VALUE_LENGTH_MAX = 256

/** The tags of an object. */
export type ObjectTags = Readonly<Record<string, string>>

/** Parses `x-amz-tagging`: `a=1&b=2`, form-encoded. @throws BerthError `InvalidTag` */
export function parseTagHeader(header: string): ObjectTags {
  return toTags([...new URLSearchParams(header)])
}

/** Parses a `Tagging` document. @throws BerthError `InvalidTag`, `MalformedXML` */
export function parseTagging(root: XmlElement): ObjectTags {
  const tagSet = root.children.get('TagSet')?.[0]
  if (tagSet === undefined) throw malformedXml()
  const pairs = (tagSet.children.get('Tag') ?? []).map((tag): [string, string] => {
    const key = childText(tag, 'Key')
    if (key === undefined) throw malformedXml()
    return [key, childText(tag, 'Value') ?? '']
  })
  return toTags(pairs)
}

/** Encodes the children of a `Tagging` document. */
export function encodeTagging(tags: ObjectTags): Xml {
  const encoded = Object.entries(tags).map(([key, value]) =>
    element('Tag', [element('Key', key), element('Value', value)]),
  )
  return element('TagSet', encoded)
}

function toTags(pairs: readonly (readonly [string, string])[]): ObjectTags {
  const tags: Record<string, string> = Object.create(null) as Record<string, string>
  if (pairs.length > TAGS_MAX) {
    throw new BerthError('InvalidTag', `Object tags cannot be greater than ${TAGS_MAX}`)
  }
  for (const [key, value] of pairs) {
    if (key === '' || key.length > KEY_LENGTH_MAX) {
      throw new BerthError('InvalidTag', 'The TagKey you have provided is invalid')
    }
    if (value.length > VALUE_LENGTH_MAX) {
      throw new BerthError('InvalidTag', 'The TagValue you have provided is invalid')
    }
    if (key in tags) {
      throw new BerthError('InvalidTag', 'Cannot provide multiple Tags with the same key')
    }
    tags[key] = value
  }
  return tags
}
