/** What a Range header asks of an object of known size. Byte positions are inclusive. */
export type RequestedRange =
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly firstByte: number; readonly lastByte: number }
  | { readonly kind: 'unsatisfiable' }

/**
 * Parses `bytes=a-b`, `bytes=a-` and `bytes=-n`. As S3, a list of ranges or a header that is not understood asks for
 * the whole object.
 */
export function parseRange(header: string | undefined, sizeBytes: number): RequestedRange {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '') ?? []
  if (first === '' && last === '') return { kind: 'whole' }
  if (first === '') {
    const wanted = Number(last)
    if (wanted === 0 || sizeBytes === 0) return { kind: 'unsatisfiable' }
    return { kind: 'part', firstByte: Math.max(0, sizeBytes - wanted), lastByte: sizeBytes - 1 }
  }
  const firstByte = Number(first)
  const lastByte = last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1)
  if (last !== '' && Number(last) < firstByte) return { kind: 'whole' }
  if (firstByte >= sizeBytes) return { kind: 'unsatisfiable' }
  return { kind: 'part', firstByte, lastByte }
}
