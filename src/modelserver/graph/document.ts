import { Buffer } from 'node:buffer'
import type { JsonValue } from '../../domain/json.ts'
import { NodeFailure } from './node-failure.ts'

const JSON_TYPE = 'application/json'

/** What a node is given or gives: bytes with a type, or a value; each is made of the other when it is first asked for. */
export class Document {
  readonly contentType: string
  #bytes: Buffer | undefined
  #value: JsonValue | undefined

  private constructor(
    contentType: string,
    bytes: Buffer | undefined,
    value: JsonValue | undefined,
  ) {
    this.contentType = contentType
    this.#bytes = bytes
    this.#value = value
  }

  static ofBytes(contentType: string | undefined, bytes: Buffer): Document {
    return new Document(contentType ?? JSON_TYPE, bytes, undefined)
  }

  static ofValue(value: JsonValue): Document {
    return new Document(JSON_TYPE, undefined, value)
  }

  get bytes(): Buffer {
    this.#bytes ??= Buffer.from(JSON.stringify(this.#value ?? null))
    return this.#bytes
  }

  /** @throws NodeFailure 415: bytes of a type that has no value; 400: bytes that are not what their type says. */
  get value(): JsonValue {
    this.#value ??= parse(this.contentType, this.#bytes ?? Buffer.alloc(0))
    return this.#value
  }
}

function parse(contentType: string, bytes: Buffer): JsonValue {
  const type = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  const text = bytes.toString('utf8')
  if (type === JSON_TYPE || type.endsWith('+json')) return parseJson(text)
  if (type === 'text/csv') return parseCsv(text)
  if (/^application\/(x-)?json(lines|l)$/.test(type)) {
    return text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [parseJson(line)]))
  }
  if (type === 'text/plain') return text
  throw new NodeFailure(
    `Content of type ${contentType} has no value for an expression or aggregate.`,
    415,
  )
}

function parseJson(text: string): JsonValue {
  try {
    const value: JsonValue = JSON.parse(text)
    return value
  } catch (error) {
    throw new NodeFailure(`It is not JSON: ${error instanceof Error ? error.message : ''}.`, 400)
  }
}

// Rows of one field are that field.
function parseCsv(text: string): JsonValue {
  const lines = text.trimEnd().split(/\r?\n/)
  return lines.map((line) => {
    const fields = line.split(',').map((field) => {
      const number = Number(field)
      return field.trim() !== '' && Number.isFinite(number) ? number : field
    })
    return fields.length === 1 ? (fields[0] ?? null) : fields
  })
}
