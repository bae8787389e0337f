import { Buffer } from 'node:buffer'
import { bindRequest } from '../codecs/bind.ts'
import { chooseReplyType, parseContentType } from '../codecs/media-type.ts'
import type { Format, ReplyType } from '../codecs/media-type.ts'
import { findNumericPort, readNumericRows } from '../codecs/numeric-rows.ts'
import { writePlainRows } from '../codecs/plain-rows.ts'
import { encodeReply } from '../codecs/reply.ts'
import { parseRequest } from '../codecs/request.ts'
import type { NamedTensor } from '../codecs/tensor.ts'
import { Rejection } from '../rejection.ts'
import type { Model } from './model.ts'
import type { ModelReply, ModelRequest } from './model-call.ts'

/** A request as the model's inputs, and how its answer is to be written. */
export interface Decoded {
  readonly inputs: readonly NamedTensor[]
  readonly replyType: ReplyType
  readonly isColumnar: boolean
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
  /** What the last request's headers mean: nearly all callers of a model send the same. */
  #last: Formats | undefined

  constructor(model: Model) {
    this.#model = model
    this.#numericPort = findNumericPort(model.session.signature.inputs)
  }

  /** @throws Rejection */
  decode({ contentType, accept, body }: ModelRequest): Decoded {
    const { format, replyType } = this.#formatsOf(contentType, accept)
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    if (format === 'json' && this.#numericPort !== undefined) {
      const rows = readNumericRows(bytes, this.#numericPort)
      if (rows !== undefined) return { inputs: [rows], replyType, isColumnar: false }
    }
    const given = parseRequest(format, bytes)
    const inputs = bindRequest(given, this.#model.session.signature)
    return { inputs, replyType, isColumnar: given.kind === 'columns' }
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

  /** @throws Rejection */
  encode(outputs: readonly NamedTensor[], { replyType, isColumnar }: Decoded): ModelReply {
    const outcome = { outputs, presentation: this.#model.presentation, isColumnar }
    const plain = replyType.format === 'json' ? writePlainRows(outcome) : undefined
    const body = plain ?? encodeReply(outcome, replyType)
    return { status: 200, contentType: replyType.mediaType, body }
  }
}

/** The answer to a call that ended with a rejection. @throws whatever else it ended with. */
export function rejectionReply(error: unknown): ModelReply {
  if (!(error instanceof Rejection)) throw error
  const body = Buffer.from(JSON.stringify({ error: error.message }))
  return { status: error.status, contentType: 'application/json', body }
}
