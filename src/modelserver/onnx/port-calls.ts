import { Rejection } from '../rejection.ts'
import type { Batcher } from './batcher.ts'
import { rejectionReply } from './decode-call.ts'
import type { CallRefusal, ModelCall, ModelReply, ModelRequest } from './model-call.ts'
import type { FromWorker } from './worker-messages.ts'

type ReplyMessage = Extract<FromWorker, { kind: 'reply' }>

/** Calls that came from the main thread, for the batcher. Those are bounded there. */
export class PortCalls {
  readonly #batcher: Batcher
  readonly #send: (message: ReplyMessage) => void
  readonly #callById = new Map<number, PortCall>()

  constructor(batcher: Batcher, send: (message: ReplyMessage) => void) {
    this.#batcher = batcher
    this.#send = send
  }

  add(id: number, request: ModelRequest): void {
    const call = new PortCall(request, (reply) => {
      this.#callById.delete(id)
      this.#send({ kind: 'reply', id, reply })
    })
    this.#callById.set(id, call)
    this.#batcher.add(call)
  }

  /** Answers it with nothing of worth, so that the pool sees the place free. */
  cancel(id: number): void {
    this.#callById.get(id)?.refuse('expired', 'The client left.')
  }
}

class PortCall implements ModelCall {
  readonly request: ModelRequest
  readonly deadlineAtMs = Infinity
  readonly #send: (reply: ModelReply) => void
  #isOver = false

  constructor(request: ModelRequest, send: (reply: ModelReply) => void) {
    this.request = request
    this.#send = send
  }

  get isOver(): boolean {
    return this.#isOver
  }

  answer(reply: ModelReply): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#send(reply)
  }

  refuse(_reason: CallRefusal, detail: string): void {
    this.answer(rejectionReply(new Rejection(503, detail)))
  }
}
