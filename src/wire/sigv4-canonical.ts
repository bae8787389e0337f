import { hash } from 'node:crypto'
import { completeEncoding, encodePathBytes, normaliseEncoding } from './percent.ts'
import type { SignedHeaders } from './sigv4-signed-headers.ts'

const UNUSUAL_IN_PATH = /[^A-Za-z0-9\-._~/]|\/[./]/

/** SHA-256 of nothing, in hex. */
export const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

/** What a canonical request is made of. */
export interface CanonicalParts {
  readonly method: string
  readonly uri: string
  readonly query: string
  readonly signedHeaders: SignedHeaders
  /** In the order of the signed headers. */
  readonly signedValues: readonly string[]
  readonly payloadHash: string
}

/** Headers by lower-case name. */
export interface GroupedHeaders {
  /** Values of a repeated header are joined by commas, as both signature versions sign them. */
  readonly valueByName: ReadonlyMap<string, string>
  readonly repeatedNames: readonly string[]
}

/** Splits a raw target into path and query without decoding either. */
export function splitTarget(rawTarget: string): { readonly path: string; readonly query: string } {
  const mark = rawTarget.indexOf('?')
  if (mark < 0) return { path: rawTarget, query: '' }
  return { path: rawTarget.slice(0, mark), query: rawTarget.slice(mark + 1) }
}

/** Collects headers by lower-case name. */
export function groupHeaders(rawHeaders: readonly string[]): GroupedHeaders {
  const valueByName = new Map<string, string>()
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    valueByName.set((rawHeaders[index] ?? '').toLowerCase(), rawHeaders[index + 1] ?? '')
  }
  const isRepeating = valueByName.size < rawHeaders.length >> 1
  return isRepeating ? joinRepeated(rawHeaders) : { valueByName, repeatedNames: [] }
}

function joinRepeated(rawHeaders: readonly string[]): GroupedHeaders {
  const valuesByName = new Map<string, string[]>()
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase()
    const value = rawHeaders[index + 1] ?? ''
    const values = valuesByName.get(name)
    if (values === undefined) valuesByName.set(name, [value])
    else values.push(value)
  }
  const valueByName = new Map<string, string>()
  const repeatedNames: string[] = []
  for (const [name, values] of valuesByName) {
    valueByName.set(name, values.map((value) => value.trim()).join(','))
    if (values.length > 1) repeatedNames.push(name)
  }
  return { valueByName, repeatedNames }
}

/**
 * The canonical path. S3 signs what was sent; every other service signs it normalised and encoded once more, so that
 * `/endpoints/a%20b` is signed as `/endpoints/a%2520b`.
 */
export function canonicalUri(path: string, service: string): string {
  if (service === 's3') return completeEncoding(path) || '/'
  // One look for all that would be encoded or removed: most paths need neither. Three looks take 0.2 µs more.
  return UNUSUAL_IN_PATH.test(path) ? encodePathBytes(removeDotSegments(path)) : path || '/'
}

function removeDotSegments(path: string): string {
  if (!path.includes('//') && !path.includes('/.')) return path || '/'
  const kept: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '' || segment === '.') continue
    if (segment === '..') kept.pop()
    else kept.push(segment)
  }
  const tail = kept.length > 0 && path.endsWith('/') ? '/' : ''
  return `/${kept.join('/')}${tail}`
}

/** The canonical query: every parameter in one spelling, sorted by name and then by value, without `omitted`. */
export function canonicalQuery(query: string, omitted?: string): string {
  if (query === '') return ''
  const pairs: (readonly [string, string])[] = []
  for (const part of query.split('&')) {
    if (part === '') continue
    const mark = part.indexOf('=')
    const name = normaliseEncoding(mark < 0 ? part : part.slice(0, mark))
    if (name === omitted) continue
    pairs.push([name, mark < 0 ? '' : normaliseEncoding(part.slice(mark + 1))])
  }
  pairs.sort((a, b) => compareText(a[0], b[0]) || compareText(a[1], b[1]))
  return pairs.map(([name, value]) => `${name}=${value}`).join('&')
}

/** Hex SHA-256 of the canonical request. */
export function hashCanonicalRequest(parts: CanonicalParts): string {
  const { method, uri, query, signedHeaders, signedValues, payloadHash } = parts
  const { labels } = signedHeaders
  let isAscii = isTidy(method)
  let text = `${method}\n${uri}\n${query}`
  for (let index = 0; index < labels.length; index += 1) {
    const value = signedValues[index] ?? ''
    text += labels[index]?.[1] ?? ''
    if (isTidy(value)) {
      text += value
    } else {
      isAscii = false
      text += value.trim().replace(/\s+/g, ' ')
    }
  }
  text += signedHeaders.tail
  text += payloadHash
  // Node decodes header bytes one to one, so latin1 restores the bytes that the client signed. Of ASCII they are the
  // same in UTF-8, and the text is hashed without a buffer of its own: 0.2 µs less. What is not looked at here is ASCII:
  // encoded, or refused unless it is.
  return hash('sha256', isAscii ? text : Buffer.from(text, 'latin1'), 'hex')
}

const BEYOND_WORD = /[^!-~]/
const WORDS = /^[!-~]+(?: [!-~]+)*$/

// Whether a text is ASCII without control characters and has blanks only where they are signed as they are. Most values
// are one word: to look for that first takes 0.2 µs less a head.
function isTidy(text: string): boolean {
  return !BEYOND_WORD.test(text) || WORDS.test(text)
}

function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
