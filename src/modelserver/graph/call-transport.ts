import { Buffer } from 'node:buffer'
import type { CallFailure, ContainerRequest, Transport } from '../../gateway/transport.ts'
import { NodeFailure } from './node-failure.ts'

/** A whole reply. */
export interface CallReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: Buffer
}

// The deadline is whoever aborts: this is only for frames, which have to name one.
const TIMEOUT_MS = 3_600_000
const REPLY_BYTES_MAX = 25 * 1024 * 1024

const WORDS: Readonly<Record<CallFailure, string>> = {
  refused: 'cannot be reached',
  reset: 'broke the connection',
  malformed: 'answered something that is no reply',
  overloaded: 'has too much waiting',
  expired: 'would have answered too late',
}

/**
 * Calls and waits for the whole reply; an abort tells the target that nobody waits.
 *
 * @param target for sentences: `endpoint fruit-tree`.
 * @throws NodeFailure 502 or 503: the call failed before the reply was whole.
 */
export function callTransport(
  transport: Transport,
  target: string,
  { headers, body }: Pick<ContainerRequest, 'headers' | 'body'>,
  signal: AbortSignal,
): Promise<CallReply> {
  const { promise, resolve, reject } = Promise.withResolvers<CallReply>()
  const chunks: Buffer[] = []
  let byteCount = 0
  let head: Omit<CallReply, 'body'> = { status: 0, headers: {} }
  const request = { headers, body, replyBytesMax: REPLY_BYTES_MAX, streamTimeoutMs: undefined }
  const abort = (): void => {
    call.abort()
    reject(signal.reason)
  }
  const call = transport.call(
    request,
    {
      onHead: (status, replyHeaders) => (head = { status, headers: replyHeaders }),
      onChunk: (chunk) => {
        byteCount += chunk.length
        if (byteCount > REPLY_BYTES_MAX) {
          reject(new NodeFailure(`The ${target} answered more than ${REPLY_BYTES_MAX} bytes.`, 502))
          call.abort()
        }
        chunks.push(Buffer.from(chunk))
        return true
      },
      onEnd: () =>
        resolve({
          ...head,
          body: chunks.length === 1 ? (chunks[0] ?? NOTHING) : Buffer.concat(chunks),
        }),
      onFailure: (failure) => {
        const status = failure === 'refused' || failure === 'overloaded' ? 503 : 502
        reject(new NodeFailure(`The ${target} ${WORDS[failure]}.`, status))
      },
    },
    TIMEOUT_MS,
  )
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort, { once: true })
  return promise.finally(() => signal.removeEventListener('abort', abort))
}

const NOTHING = Buffer.alloc(0)
