import { createHash } from 'node:crypto'
import { completeEncoding, encodePathBytes, normaliseEncoding } from './percent.ts'

/** SHA-256 of nothing, in hex. */
export const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

/** What a canonical request is made of. */
export interface CanonicalParts {
  readonly method: string
  readonly uri: string
  readonly query: string
  readonly signedHeaders: readonly string[]
  /** Values by lower-case name; repeated headers in the order received. */
  readonly headers: ReadonlyMap<string, readonly string[]>
  readonly payloadHash: string
}

/** Splits a raw target into path and query without decoding either. */
export function splitTarget(rawTarget: string): { readonly path: string; readonly query: string } {
  const mark = rawTarget.indexOf('?')
  if (mark < 0) return { path: rawTarget, query: '' }
  return { path: rawTarget.slice(0, mark), query: rawTarget.slice(mark + 1) }
}

/** Collects headers by lower-case name. */
export function groupHeaders(rawHeaders: readonly string[]): Map<string, string[]> {
  const headers = new Map<string, string[]>()
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase()
    const value = rawHeaders[index + 1] ?? ''
    const values = headers.get(name)
    if (values === undefined) headers.set(name, [value])
    else values.push(value)
  }
  return headers
}

/**
 * The canonical path. S3 signs what was sent; every other service signs it normalised and encoded once more, so that
 * `/endpoints/a%20b` is signed as `/endpoints/a%2520b`.
 */
export function canonicalUri(path: string, service: string): string {
  if (service === 's3') return completeEncoding(path) || '/'
  return encodePathBytes(removeDotSegments(path))
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

/** Hex SHA-256 of the canonical request, or undefined when a signed header is not there. */
export function hashCanonicalRequest(parts: CanonicalParts): string | undefined {
  let headerLines = ''
  for (const name of parts.signedHeaders) {
    const values = parts.headers.get(name)
    if (values === undefined) return undefined
    headerLines += `${name}:${values.map(canonicalValue).join(',')}\n`
  }
  const { method, uri, query, signedHeaders, payloadHash } = parts
  const text = `${method}\n${uri}\n${query}\n${headerLines}\n${signedHeaders.join(';')}\n${payloadHash}`
  // latin1: node decodes header bytes one to one, so this restores the bytes that the client signed.
  return createHash('sha256').update(text, 'latin1').digest('hex')
}

function canonicalValue(value: string): string {
  return value.trim().replace(/\s+/g, ' ')
}

function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
