/** Elements by name; an array repeats its element, undefined leaves it out. */
export interface XmlElements {
  readonly [name: string]: XmlValue
}

/** What an element may hold. */
export type XmlValue = string | number | boolean | undefined | XmlElements | readonly XmlValue[]

/** Encodes elements without a root. Names are trusted, values are escaped. */
export function encodeXml(elements: XmlElements): string {
  return Object.entries(elements)
    .map(([name, value]) => encodeElement(name, value))
    .join('')
}

function encodeElement(name: string, value: XmlValue): string {
  if (value === undefined) return ''
  if (isList(value)) return value.map((item) => encodeElement(name, item)).join('')
  const content = typeof value === 'object' ? encodeXml(value) : escapeXml(String(value))
  return `<${name}>${content}</${name}>`
}

/** Escapes text for XML 1.0; characters that no XML document may hold become U+FFFD. */
export function escapeXml(text: string): string {
  return text
    .replace(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, '\u{FFFD}')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\r', '&#13;')
}

function isList(value: XmlValue): value is readonly XmlValue[] {
  return Array.isArray(value)
}
