import type { IncomingHttpHeaders } from 'node:http'

import { encodeModelStreamError, encodePayloadPart } from '../wire/event-stream.ts'
import { invocationHeaders, streamHeaders } from '../wire/runtime-response.ts'
import type { InvocationReply } from '../wire/runtime-response.ts'
import type { ClientSink, ReplyHeaders } from './client-sink.ts'

// Replies up to this size are sent in one piece with their length, and a container that breaks off before it is
// reached still becomes a ModelError. Larger ones pass through as they come.
const COLLECTED_BYTES_MAX = 64 * 1024

/** The head of a container's successful reply. */
export interface ContainerHead {
  readonly statusCode: number
  readonly headers: IncomingHttpHeaders
}

/** Where a container's successful reply goes. */
export interface Reply {
  /** Whether the client has seen a part of it, so that no other answer can be given. */
  readonly isStarted: boolean
  start(head: ContainerHead): void
  /** @returns false when the client is slower than the container: pause until it has drained. */
  write(chunk: Buffer): boolean
  end(): void
  /** Ends a reply that has started so that the client cannot take it for a whole one. */
  breakOff(reason: 'timed-out' | 'broken'): void
  /** Sets the one listener for "the client has caught up". */
  onDrain(listener: () => void): void
}

/** What names the invocation in its reply. */
export type ReplyNames = Pick<InvocationReply, 'requestId' | 'variantName'>

/** The reply of InvokeEndpoint: status 200 whatever 2xx the container used. */
export class WholeReply implements Reply {
  readonly #client: ClientSink
  readonly #names: ReplyNames
  #headers: ReplyHeaders = {}
  #collected: Buffer[] = []
  #collectedBytes = 0
  #announcedLength: string | undefined

  constructor(client: ClientSink, names: ReplyNames) {
    this.#client = client
    this.#names = names
  }

  get isStarted(): boolean {
    return this.#client.isStarted
  }

  start({ headers }: ContainerHead): void {
    this.#headers = invocationHeaders(replyOf(this.#names, headers))
    this.#announcedLength = headers['content-length']
  }

  write(chunk: Buffer): boolean {
    if (this.isStarted) return this.#client.write(chunk)
    this.#collected.push(chunk)
    this.#collectedBytes += chunk.length
    if (this.#collectedBytes <= COLLECTED_BYTES_MAX) return true
    const length = this.#announcedLength
    const announced = length === undefined ? {} : { 'Content-Length': length }
    this.#client.start(200, { ...this.#headers, ...announced })
    return this.#client.write(this.#takeCollected())
  }

  end(): void {
    if (this.isStarted) this.#client.end()
    else this.#client.sendWhole(200, this.#headers, this.#takeCollected())
  }

  breakOff(): void {
    this.#client.destroy()
  }

  onDrain(listener: () => void): void {
    this.#client.onDrain(listener)
  }

  #takeCollected(): Buffer {
    const [first] = this.#collected
    const collected =
      this.#collected.length === 1 && first !== undefined ? first : Buffer.concat(this.#collected)
    this.#collected = []
    return collected
  }
}

/** The reply of InvokeEndpointWithResponseStream: each chunk of the container becomes a frame at once. */
export class StreamReply implements Reply {
  readonly #client: ClientSink
  readonly #names: ReplyNames

  constructor(client: ClientSink, names: ReplyNames) {
    this.#client = client
    this.#names = names
  }

  get isStarted(): boolean {
    return this.#client.isStarted
  }

  start({ headers }: ContainerHead): void {
    this.#client.start(200, streamHeaders(replyOf(this.#names, headers)))
  }

  write(chunk: Buffer): boolean {
    return this.#client.write(encodePayloadPart(chunk))
  }

  end(): void {
    this.#client.end()
  }

  breakOff(reason: 'timed-out' | 'broken'): void {
    const frame =
      reason === 'timed-out'
        ? encodeModelStreamError(
            'ModelInvocationTimeExceeded',
            'The model did not finish its response in time.',
          )
        : encodeModelStreamError(
            'StreamBroken',
            'The connection to the model container was lost before its response was complete.',
          )
    this.#client.end(frame)
  }

  onDrain(listener: () => void): void {
    this.#client.onDrain(listener)
  }
}

// What of a container's headers reaches the client; wire/runtime-response.ts has the source.
function replyOf(
  { requestId, variantName }: ReplyNames,
  headers: IncomingHttpHeaders,
): InvocationReply {
  const attributes = headers['x-amzn-sagemaker-custom-attributes']
  const customAttributes = Array.isArray(attributes) ? attributes.join(', ') : attributes
  return {
    requestId,
    variantName,
    contentType: sendable(headers['content-type']),
    customAttributes: sendable(customAttributes),
  }
}

// A value from a frame may have any characters; a line end in it would begin another header.
function sendable(value: string | undefined): string | undefined {
  return value === undefined || /[^\t\x20-\x7e\x80-\xff]/.test(value) ? undefined : value
}
