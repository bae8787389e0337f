import { toHeaders, toStatus } from '../../user-code/reply-head.ts'
import type { CallContext } from '../author/model.ts'

/** One invocation as user code sees it beside its body. */
export interface HandlerCall {
  readonly requestId: string
  readonly headers: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

/** How a reply begins. */
export interface ReplyHead {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
}

/** What decides what a call means, beside its body. */
interface CallFacts extends HandlerCall {
  readonly modelDirectory: string
  readonly model: unknown
  readonly contentType: string | undefined
  readonly accept: string
}

/** What every function of user code is given last. */
export class HandlerContext implements CallContext<unknown> {
  readonly requestId: string
  readonly headers: Readonly<Record<string, string>>
  readonly signal: AbortSignal
  readonly modelDirectory: string
  readonly model: unknown
  readonly contentType: string | undefined
  readonly accept: string
  /** Names in lower case. */
  readonly #replyHeaders: Record<string, string> = {}
  #replyStatus = 200

  constructor(facts: CallFacts) {
    this.requestId = facts.requestId
    this.headers = facts.headers
    this.signal = facts.signal
    this.modelDirectory = facts.modelDirectory
    this.model = facts.model
    this.contentType = facts.contentType
    this.accept = facts.accept
  }

  // Functions of the instance, so that user code may take them out of it: `({ setStatus }) => …`.
  readonly setStatus = (status: number): void => {
    this.#replyStatus = status
  }

  readonly setHeader = (name: string, value: string): void => {
    this.#replyHeaders[name.toLowerCase()] = value
  }

  /** The head of the reply. */
  replyHead(contentType: string): ReplyHead {
    const headers = toHeaders({ 'content-type': contentType, ...this.#replyHeaders })
    return { status: toStatus(this.#replyStatus), headers }
  }
}
