const HEX_PAIR = /^[0-9A-Fa-f]{2}$/

/** Percent-encodes a text of bytes (each character one byte, as node's raw target is), keeping what is unreserved. */
export function encodeBytes(text: string): string {
  return text.replace(/[^A-Za-z0-9\-._~]/gu, encodeCharacter)
}

/** Percent-encodes as {@link encodeBytes} but keeps the slashes of a path. */
export function encodePathBytes(text: string): string {
  return text.replace(/[^A-Za-z0-9\-._~/]/gu, encodeCharacter)
}

/** Brings a query name or value to the one spelling that AWS signs: `%41` becomes `A`, `+` becomes `%2B`. */
export function normaliseEncoding(text: string): string {
  if (/^[A-Za-z0-9\-._~]*$/.test(text)) return text
  return encodeBytes(decodeBytes(text))
}

/** Encodes what a client left unencoded and keeps every `%XX` as sent. */
export function completeEncoding(path: string): string {
  if (/^[A-Za-z0-9\-._~/]*$/.test(path)) return path
  return path
    .split(/(%[0-9A-Fa-f]{2})/)
    .map((part, index) => (index % 2 === 1 ? part : encodePathBytes(part)))
    .join('')
}

/** Decodes percent-encoded UTF-8; a broken sequence stays as sent. `+` is a plus. */
export function decodeText(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return Buffer.from(decodeBytes(text), 'latin1').toString('utf8')
  }
}

function decodeBytes(text: string): string {
  return text.replace(/%(..)/gs, (whole, pair: string) =>
    HEX_PAIR.test(pair) ? String.fromCharCode(Number.parseInt(pair, 16)) : whole,
  )
}

// Node hands out the target with one character per byte; anything beyond that came from a test or a library.
function encodeCharacter(character: string): string {
  const bytes = Buffer.from(character, character.charCodeAt(0) > 0xff ? 'utf8' : 'latin1')
  let encoded = ''
  for (const byte of bytes) encoded += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  return encoded
}
