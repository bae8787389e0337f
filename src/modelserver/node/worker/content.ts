import { Buffer } from 'node:buffer'
import { encodeCsv, parseCsv } from '../../codecs/csv.ts'
import { encodeNpy, parseNpy } from '../../codecs/npy.ts'
import { nest } from '../../codecs/rows.ts'

const JSON_TYPE = 'application/json'
const CSV = 'text/csv'
const JSON_LINES = 'application/jsonlines'
const NPY = 'application/x-npy'
const TEXT_TYPES = [JSON_TYPE, CSV, JSON_LINES]
const ENCODED_TYPES = [JSON_TYPE, CSV, JSON_LINES, NPY]

/** In the words of the SageMaker inference toolkit, with the names of this one's functions. */
export class UnsupportedFormatError extends Error {
  constructor(contentType: string | undefined) {
    super(
      `Content type ${contentType ?? 'undefined'} is not supported by this framework.\n\n` +
        'Please implement inputFn to deserialize the request data or outputFn to serialize the response.',
    )
    this.name = 'UnsupportedFormatError'
  }
}

/** What handlers are given of a body: text where the type is one of text, else bytes. */
export function bodyFor(contentType: string | undefined, body: Buffer): string | Buffer {
  return TEXT_TYPES.includes(baseType(contentType)) ? body.toString('utf8') : body
}

/**
 * The value of a body in one of the default types: that of the JSON, or rows of numbers and texts.
 *
 * @throws UnsupportedFormatError
 */
export function decodeBody(body: string | Uint8Array, contentType: string | undefined): unknown {
  const bytes = typeof body === 'string' ? Buffer.from(body, 'utf8') : Buffer.from(body)
  switch (baseType(contentType)) {
    case JSON_TYPE:
      return JSON.parse(bytes.toString('utf8'))
    case JSON_LINES:
      return linesOf(bytes.toString('utf8')).map((line): unknown => JSON.parse(line))
    case CSV:
      return parseCsv(bytes.toString('utf8')).map((row) => row.map(numberOrText))
    case NPY:
      return nest(parseNpy(bytes))
    default:
      throw new UnsupportedFormatError(contentType)
  }
}

/**
 * The body for a prediction, and its type: the first of those accepted that there is an encoder for.
 *
 * @throws UnsupportedFormatError
 */
export function encodePrediction(
  prediction: unknown,
  accept: string,
): { readonly body: string | Uint8Array; readonly contentType: string } {
  for (const range of accept.split(',')) {
    const type = baseType(range)
    const contentType = type === '*/*' || type === 'application/*' ? JSON_TYPE : type
    if (ENCODED_TYPES.includes(contentType)) {
      return { body: encode(prediction, contentType), contentType }
    }
  }
  throw new UnsupportedFormatError(accept)
}

/** What user code returned, as bytes: text as UTF-8, bytes as they are, everything else as JSON. */
export function toBytes(value: unknown): Uint8Array {
  if (typeof value === 'string') return Buffer.from(value, 'utf8')
  if (value instanceof Uint8Array) return value
  if (value instanceof ArrayBuffer) return new Uint8Array(value)
  return Buffer.from(toJson(value), 'utf8')
}

/** JSON of a value that may hold typed arrays, and integers beyond 2^53, which become strings. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, plain) ?? 'null'
}

/** A media type without its parameters, in lower case. */
function baseType(type: string | undefined): string {
  return type?.split(';', 1)[0]?.trim().toLowerCase() ?? ''
}

function encode(prediction: unknown, contentType: string): string | Uint8Array {
  switch (contentType) {
    case CSV:
      return encodeCsv(itemsOf(prediction).map((row) => itemsOf(row).map(cellOf)))
    case JSON_LINES:
      return itemsOf(prediction)
        .map((row) => `${toJson(row)}\n`)
        .join('')
    case NPY:
      return encodeArray(prediction)
    default:
      return toJson(prediction)
  }
}

function plain(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') {
    return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
  }
  return ArrayBuffer.isView(value) ? itemsOf(value) : value
}

function encodeArray(prediction: unknown): Uint8Array {
  const dims: number[] = []
  for (let part = prediction; isList(part); part = itemsOf(part)[0]) dims.push(itemsOf(part).length)
  const elements = Float64Array.from(flatten(prediction), Number)
  if (!hasShape(prediction, dims) || elements.some(Number.isNaN)) {
    throw new TypeError(
      `${NPY} holds numbers in rows of one length, and the prediction is something else.`,
    )
  }
  return encodeNpy({ type: 'float64', dims, elements })
}

// As many rows of other lengths may have as many elements together.
function hasShape(value: unknown, [length, ...inner]: readonly number[]): boolean {
  if (length === undefined) return !isList(value)
  const items = itemsOf(value)
  return isList(value) && items.length === length && items.every((item) => hasShape(item, inner))
}

function flatten(value: unknown): readonly unknown[] {
  return isList(value) ? itemsOf(value).flatMap(flatten) : [value]
}

function isList(value: unknown): boolean {
  return Array.isArray(value) || ArrayBuffer.isView(value)
}

// Elements of an array or of a typed array; anything else is the only one.
function itemsOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  return ArrayBuffer.isView(value) ? Object.values(value) : [value]
}

function cellOf(value: unknown): string {
  return typeof value === 'string' ? value : toJson(value)
}

function numberOrText(field: string): number | string {
  const number = Number(field)
  return field.trim() === '' || Number.isNaN(number) ? field : number
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line.trim() !== '')
}
