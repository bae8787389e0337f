import { Buffer } from 'node:buffer'
import { bindRequest } from '../codecs/bind.ts'
import { chooseReplyType, parseContentType } from '../codecs/media-type.ts'
import type { Format, ReplyType } from '../codecs/media-type.ts'
import { findNumericPort, readNumericRows } from '../codecs/numeric-rows.ts'
import { writePlainRows } from '../codecs/plain-rows.ts'
import type { RowRange } from '../codecs/plain-rows.ts'
import { encodeReply } from '../codecs/reply.ts'
import type { Outcome } from '../codecs/reply.ts'
import { parseRequest } from '../codecs/request.ts'
import type { NamedTensor } from '../codecs/tensor.ts'
import { Rejection } from '../rejection.ts'
import { countRows, rowShapeKey, sliceRows } from './batch-rows.ts'
import type { Model } from './model.ts'
import type { ModelReply, ModelRequest } from './model-call.ts'

/** A request as the model's inputs, and how its answer is to be written. */
export interface Decoded {
  readonly inputs: readonly NamedTensor[]
  readonly replyType: ReplyType
  readonly isColumnar: boolean
  /** At least 1. */
  readonly rowCount: number
  /** Equal for requests whose rows may follow each other in one run. */
  readonly shapeKey: string
}

interface Formats {
  readonly contentType: string | undefined
  readonly accept: string | undefined
  readonly format: Format
  readonly replyType: ReplyType
}

/** Decodes requests for one model and encodes its answers. */
export class CallCodec {
  readonly #model: Model
  readonly #numericPort: ReturnType<typeof findNumericPort>
  readonly #numericShapeKey: string
  /** What the last request's headers mean: nearly all callers of a model send the same. */
  #last: Formats | undefined

  constructor(model: Model) {
    this.#model = model
    this.#numericPort = findNumericPort(model.session.signature.inputs)
    this.#numericShapeKey = rowShapeKey([{ dims: [1, ...(this.#numericPort?.rowDims ?? [])] }])
  }

  /** @throws Rejection */
  decode({ contentType, accept, body }: ModelRequest): Decoded {
    const { format, replyType } = this.#formatsOf(contentType, accept)
    const bytes = bufferOf(body)
    if (format === 'json' && this.#numericPort !== undefined) {
      const rows = readNumericRows(bytes, this.#numericPort)
      if (rows !== undefined) {
        const [rowCount = 1] = rows.dims
        const shapeKey = this.#numericShapeKey
        return { inputs: [rows], replyType, isColumnar: false, rowCount, shapeKey }
      }
    }
    const given = parseRequest(format, bytes)
    const inputs = bindRequest(given, this.#model.session.signature)
    return { inputs, replyType, isColumnar: given.kind === 'columns', ...shapeOf(inputs) }
  }

  #formatsOf(contentType: string | undefined, accept: string | undefined): Formats {
    const last = this.#last
    if (last?.contentType === contentType && last?.accept === accept && last !== undefined) {
      return last
    }
    const format = parseContentType(contentType)
    this.#last = { contentType, accept, format, replyType: chooseReplyType(accept) }
    return this.#last
  }

  /**
   * @param range the call's rows, where the outputs are those of several calls.
   * @throws Rejection
   */
  encode(
    outputs: readonly NamedTensor[],
    { replyType, isColumnar }: Decoded,
    range?: RowRange,
  ): ModelReply {
    const { presentation } = this.#model
    const all = { outputs, presentation, isColumnar }
    const isPlain = replyType.format === 'json' && replyType.topCount === undefined
    const plain = isPlain ? writePlainRows(all, range) : undefined
    const body = plain ?? encodeReply(range === undefined ? all : partOf(all, range), replyType)
    return { status: 200, contentType: replyType.mediaType, body }
  }
}

/** The answer to a call that ended with a rejection. @throws whatever else it ended with. */
export function rejectionReply(error: unknown): ModelReply {
  if (!(error instanceof Rejection)) throw error
  const body = Buffer.from(JSON.stringify({ error: error.message }))
  return { status: error.status, contentType: 'application/json', body }
}

function partOf(outcome: Outcome, { start, end }: RowRange): Outcome {
  return { ...outcome, outputs: sliceRows(outcome.outputs, start, end) }
}

// What comes by frames is one already; what came from the main thread has become its base class on the way.
function bufferOf(body: Uint8Array): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
}

// Inputs that do not agree on the number of rows have a shape that no other call shares.
let oddCount = 0

function shapeOf(inputs: readonly NamedTensor[]): Pick<Decoded, 'rowCount' | 'shapeKey'> {
  const rowCount = countRows(inputs)
  if (rowCount === undefined) return { rowCount: 1, shapeKey: `alone ${(oddCount += 1)}` }
  return { rowCount: Math.max(1, rowCount), shapeKey: rowShapeKey(inputs) }
}
