import { Rejection } from '../rejection.ts'

/** How a reply is written; several media types may name one format. */
export type ReplyFormat = 'json' | 'csv' | 'jsonlines' | 'npy' | 'npz' | 'recordio'

/** How a request is written. */
export type Format = ReplyFormat | 'libsvm'

// Source: Content-Type and Accept of the SageMaker Python SDK's serializers; the x- and short forms are what
// other clients send for JSON Lines. The SDK's TorchTensorSerializer sends npy as tensor/pt, and reads it so.
const REPLY_FORMAT_BY_MEDIA_TYPE: ReadonlyMap<string, ReplyFormat> = new Map([
  ['application/json', 'json'],
  ['text/csv', 'csv'],
  ['application/jsonlines', 'jsonlines'],
  ['application/x-jsonlines', 'jsonlines'],
  ['application/jsonl', 'jsonlines'],
  ['application/x-npy', 'npy'],
  ['tensor/pt', 'npy'],
  ['application/x-npz', 'npz'],
  ['application/x-recordio-protobuf', 'recordio'],
])

const FORMAT_BY_MEDIA_TYPE: ReadonlyMap<string, Format> = new Map<string, Format>([
  ...REPLY_FORMAT_BY_MEDIA_TYPE,
  ['text/libsvm', 'libsvm'],
  ['text/x-libsvm', 'libsvm'],
])

const SUPPORTED_REQUESTS = [...FORMAT_BY_MEDIA_TYPE.keys()].join(', ')
const SUPPORTED_REPLIES = [...REPLY_FORMAT_BY_MEDIA_TYPE.keys()].join(', ')

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
  throw new Rejection(415, `${given}. Send one of ${SUPPORTED_REQUESTS}.`)
}

/** What the reply is to be: its format and the exact Content-Type to name it by. */
export interface ReplyType {
  readonly format: ReplyFormat
  readonly mediaType: string
  /** `;top-k=3`: only so many classes, the most probable first. */
  readonly topCount?: number
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
 * None or `*\/*` means JSON. A parameter `top-k` is part of it, others are tolerated.
 *
 * @throws Rejection 406: nothing in the list is supported; 400: `top-k` is not a positive number.
 */
export function chooseReplyType(accept: string | undefined): ReplyType {
  if (accept === undefined || accept.trim() === '') return JSON_REPLY
  const entries = accept
    .split(',')
    .map((entry) => ({ type: bareType(entry), q: quality(entry), entry }))
  const ordered = entries.filter(({ q }) => q > 0).toSorted((left, right) => right.q - left.q)
  for (const { type, entry } of ordered) {
    const format = REPLY_FORMAT_BY_MEDIA_TYPE.get(type)
    const found = format === undefined ? REPLY_BY_RANGE.get(type) : { format, mediaType: type }
    if (found !== undefined) return { ...found, ...parseTopCount(entry) }
  }
  throw new Rejection(406, `Accept ${accept} cannot be met. Accept one of ${SUPPORTED_REPLIES}.`)
}

/** The `top-k` of an entry. @throws Rejection 400: it is not a positive number. */
function parseTopCount(entry: string): Pick<ReplyType, 'topCount'> {
  const [, text] = /;\s*top-k\s*=\s*"?([^;"]*)"?/i.exec(entry) ?? []
  if (text === undefined) return {}
  const topCount = Number(text)
  if (Number.isInteger(topCount) && topCount > 0) return { topCount }
  throw new Rejection(
    400,
    `top-k is ${text.trim() || 'empty'} in Accept; it must be a number from 1.`,
  )
}

function bareType(entry: string): string {
  return (entry.split(';', 1)[0] ?? '').trim().toLowerCase()
}

function quality(entry: string): number {
  const match = /;\s*q\s*=\s*([\d.]+)/i.exec(entry)
  return match === null ? 1 : Number(match[1])
}
