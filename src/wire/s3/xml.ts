import { XMLParser } from 'fast-xml-parser'
import { BerthError } from '../../domain/errors.ts'

/** Encoded XML; only {@link element} makes it, so text cannot slip in unescaped. */
export interface Xml {
  readonly markup: string
}

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/'

/** One element with a text or with children; absent children are left out. */
export function element(
  name: string,
  content: string | number | boolean | readonly (Xml | undefined)[],
): Xml {
  const inner =
    typeof content === 'object'
      ? content.map((child) => child?.markup ?? '').join('')
      : escapeXml(String(content))
  return { markup: inner === '' ? `<${name}/>` : `<${name}>${inner}</${name}>` }
}

/** A whole reply of the S3 API. */
export function encodeDocument(root: string, children: readonly (Xml | undefined)[]): string {
  const inner = children.map((child) => child?.markup ?? '').join('')
  return `${DECLARATION}<${root} xmlns="${NAMESPACE}">${inner}</${root}>`
}

/** A document without namespace, as errors are. */
export function encodePlainDocument(root: string, children: readonly Xml[]): string {
  return DECLARATION + element(root, children).markup
}

// XML 1.0 cannot hold most control characters at all; as references S3 sends them and lenient parsers take them.
function escapeXml(text: string): string {
  return text.replace(/[&<>"\p{Cc}\ufffe\uffff]/gu, (character) => {
    const entity = ENTITIES.get(character)
    return entity ?? `&#x${character.charCodeAt(0).toString(16).toUpperCase()};`
  })
}

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ['\n', '\n'],
])

/** A parsed element: its text and its children by name. */
export interface XmlElement {
  readonly text: string
  readonly children: ReadonlyMap<string, readonly XmlElement[]>
}

const parser = new XMLParser({
  ignoreAttributes: true,
  parseTagValue: false,
  trimValues: false,
  removeNSPrefix: true,
  // Only for numeric references such as &#13; – entity declarations are refused before parsing.
  htmlEntities: true,
  maxNestedTags: 10,
})

/**
 * Parses the XML body of a request. No DOCTYPE, no declared entities.
 *
 * @throws BerthError `MalformedXML`: not well-formed, or another root element.
 */
export function parseXml(body: string, rootName: string): XmlElement {
  if (/<!(DOCTYPE|ENTITY)/i.test(body)) throw malformedXml()
  let parsed: unknown
  try {
    parsed = parser.parse(body, true)
  } catch {
    throw malformedXml()
  }
  const root = toElement(parsed).children.get(rootName)
  const [only] = root ?? []
  if (only === undefined) throw malformedXml()
  return only
}

/** The text of the only child with this name, or undefined. */
export function childText(parent: XmlElement, name: string): string | undefined {
  return parent.children.get(name)?.[0]?.text
}

/** The failure of a body that is not what the operation takes. */
export function malformedXml(): BerthError {
  return new BerthError(
    'MalformedXML',
    'The XML you provided was not well-formed or did not validate against our published schema',
  )
}

function toElement(value: unknown): XmlElement {
  const children = new Map<string, readonly XmlElement[]>()
  if (typeof value !== 'object' || value === null) {
    return { text: typeof value === 'string' ? value : '', children }
  }
  let text = ''
  for (const [name, child] of Object.entries(value)) {
    if (name === '#text') text = String(child)
    else children.set(name, Array.isArray(child) ? child.map(toElement) : [toElement(child)])
  }
  return { text, children }
}
