import { Buffer } from 'node:buffer'
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

  get deadlineAtMs(): number {
    return this.#call.deadlineAtMs
  }

  get isOver(): boolean {
    return this.#call.isOver
  }

  answer({ status, contentType, body }: ModelReply): void {
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    this.#call.reply(status, { 'content-type': contentType }, bytes)
  }

  refuse(reason: CallRefusal, detail: string): void {
    this.#call.fail(reason, detail)
  }
}
