import { Buffer } from 'node:buffer'
import { EncodedHeaders } from '../../wire/frames.ts'
import type { IncomingCall } from '../frames/incoming-call.ts'
import type { CallRefusal, ModelCall, ModelReply, ModelRequest } from './model-call.ts'

/** A call that came by frames, for the batcher. */
export function createFrameModelCall(call: IncomingCall): ModelCall {
  return new FrameModelCall(call)
}

class FrameModelCall implements ModelCall {
  readonly #call: IncomingCall

  constructor(call: IncomingCall) {
    this.#call = call
  }

  get request(): ModelRequest {
    const { headers, body } = this.#call
    return { contentType: headers.find('content-type'), accept: headers.find('accept'), body }
  }

  get arrivedAtMs(): number {
    return this.#call.arrivedAtMs
  }

  get deadlineAtMs(): number {
    return this.#call.deadlineAtMs
  }

  get isOver(): boolean {
    return this.#call.isOver
  }

  answer({ status, contentType, body }: ModelReply): void {
    const headers = headersOf(contentType)
    if (typeof body === 'string') this.#call.reply(status, headers, body)
    else this.#call.reply(status, headers, Buffer.from(body.buffer, body.byteOffset, body.length))
  }

  refuse(reason: CallRefusal, detail: string): void {
    this.#call.fail(reason, detail)
  }
}

// The types that are answered with are ours, so there are few.
const HEADERS_BY_TYPE = new Map<string, EncodedHeaders>()

function headersOf(contentType: string): EncodedHeaders {
  const known = HEADERS_BY_TYPE.get(contentType)
  if (known !== undefined) return known
  const headers = new EncodedHeaders({ 'content-type': contentType })
  HEADERS_BY_TYPE.set(contentType, headers)
  return headers
}
