import { Rejection } from '../rejection.ts'

/** How a body is written; several media types may name one format. */
export type Format = 'json' | 'csv' | 'jsonlines' | 'npy'

// Source: Content-Type and Accept of the SageMaker Python SDK's serializers; the x- and short forms are what
// other clients send for JSON Lines.
const FORMAT_BY_MEDIA_TYPE: ReadonlyMap<string, Format> = new Map([
  ['application/json', 'json'],
  ['text/csv', 'csv'],
  ['application/jsonlines', 'jsonlines'],
  ['application/x-jsonlines', 'jsonlines'],
  ['application/jsonl', 'jsonlines'],
  ['application/x-npy', 'npy'],
])

/** What both directions support, for messages. */
export const SUPPORTED = [...FORMAT_BY_MEDIA_TYPE.keys()].join(', ')

/**
 * The format of a request body. Parameters such as `charset` are tolerated.
 *
 * @throws Rejection 415: the type is absent or not one of ours.
 */
export function parseContentType(contentType: string | undefined): Format {
  const mediaType = bareType(contentType ?? '')
  const format = FORMAT_BY_MEDIA_TYPE.get(mediaType)
  if (format !== undefined) return format
  const given = mediaType === '' ? 'The request has no Content-Type' : `${mediaType} is not served`
  throw new Rejection(415, `${given}. Send one of ${SUPPORTED}.`)
}

/** What the reply is to be: its format and the exact Content-Type to name it by. */
export interface ReplyType {
  readonly format: Format
  readonly mediaType: string
}

const JSON_REPLY: ReplyType = { format: 'json', mediaType: 'application/json' }

// Ranges stand for the first format they cover.
const REPLY_BY_RANGE: ReadonlyMap<string, ReplyType> = new Map([
  ['*/*', JSON_REPLY],
  ['application/*', JSON_REPLY],
  ['text/*', { format: 'csv', mediaType: 'text/csv' }],
])

/**
 * The reply's type by the Accept header: the highest q that is supported, the first among equals.
 * None or `*\/*` means JSON.
 *
 * @throws Rejection 406: nothing in the list is supported.
 */
export function chooseReplyType(accept: string | undefined): ReplyType {
  if (accept === undefined || accept.trim() === '') return JSON_REPLY
  const entries = accept.split(',').map((entry) => ({ type: bareType(entry), q: quality(entry) }))
  const ordered = entries.filter(({ q }) => q > 0).toSorted((left, right) => right.q - left.q)
  for (const { type } of ordered) {
    const format = FORMAT_BY_MEDIA_TYPE.get(type)
    if (format !== undefined) return { format, mediaType: type }
    const range = REPLY_BY_RANGE.get(type)
    if (range !== undefined) return range
  }
  throw new Rejection(406, `Accept ${accept} cannot be met. Accept one of ${SUPPORTED}.`)
}

function bareType(entry: string): string {
  return (entry.split(';', 1)[0] ?? '').trim().toLowerCase()
}

function quality(entry: string): number {
  const match = /;\s*q\s*=\s*([\d.]+)/i.exec(entry)
  return match === null ? 1 : Number(match[1])
}
