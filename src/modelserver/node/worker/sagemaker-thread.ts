/** A thread of `berth/node`: loads the user's module once, then runs one invocation at a time. */
import { setImmediate as turn } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import type { WorkerMessage } from '../../user-code/user-worker.ts'
import { Claims } from '../claims.ts'
import { toBytes, toJson } from './content.ts'
import { replyToError } from './error-reply.ts'
import { Handler, isStream } from './handler.ts'
import type { HandlerReply } from './handler.ts'
import { loadUserCode } from './load-user-code.ts'
import { printError } from './output.ts'
import { CREDIT_COUNT } from './sagemaker-messages.ts'
import type { FromThread, SageMakerWorkerData, ToThread } from './sagemaker-messages.ts'

if (parentPort === null) throw new Error('This is the program of a thread.')
const port: MessagePort = parentPort
const data: SageMakerWorkerData = workerData
const claims = new Claims(data.claimMemory)
/** Handed ahead of time, in the order in which they are to run. */
const waiting: InvokeMessage[] = []
let isServing = false
let callingId = 0
let calling = new AbortController()
let creditCount = CREDIT_COUNT
let onCredit: (() => void) | undefined
await loadUserCode(
  data,
  async (exports) => {
    const handler = new Handler(exports, data.modelDirectory, data.defaultAccept)
    const model = await handler.load()
    port.on('message', (message: ToThread) => receive(handler, message))
    send(0, { kind: 'loaded', model })
  },
  (message) => send(0, { kind: 'load-failed', message }),
)

type InvokeMessage = Extract<ToThread, { kind: 'invoke' }>

function receive(handler: Handler, message: ToThread): void {
  if (message.kind === 'invoke') {
    waiting.push(message)
    if (!isServing) void serveWaiting(handler)
    return
  }
  // It is of a call that has ended meanwhile.
  if (message.callId !== callingId) return
  switch (message.kind) {
    case 'cancel':
      return calling.abort(new DOMException('The caller has left.', 'AbortError'))
    case 'credit':
      creditCount += message.count
      return onCredit?.()
  }
}

async function serveWaiting(handler: Handler): Promise<void> {
  isServing = true
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    if (claims.claim(next.callId, next.place)) await serve(handler, next)
  }
  isServing = false
}

async function serve(handler: Handler, { callId, head, body }: InvokeMessage): Promise<void> {
  callingId = callId
  calling = new AbortController()
  creditCount = CREDIT_COUNT
  const { signal } = calling
  const { requestId, headers } = head
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  try {
    const reply = await handler.invoke(bytes, { requestId, headers, signal })
    if (isStream(reply.value)) return await stream(callId, reply, partsOf(reply.value))
    const { status, headers: replyHeaders } = reply
    send(callId, { kind: 'reply', status, headers: replyHeaders }, toBytes(reply.value))
  } catch (error) {
    if (signal.aborted) return send(callId, { kind: 'cancelled' })
    printError(error)
    const { text, status } = replyToError(error)
    send(
      callId,
      { kind: 'reply', status, headers: { 'content-type': 'text/plain' } },
      toBytes(text),
    )
  }
}

// The first part decides: an error before it is a reply of its own, one after it breaks the stream.
async function stream(
  callId: number,
  { status, headers }: HandlerReply,
  parts: AsyncIterator<unknown> | Iterator<unknown>,
): Promise<void> {
  const { signal } = calling
  let part = await parts.next()
  send(callId, { kind: 'reply-start', status, headers })
  try {
    while (part.done !== true) {
      const isPlain = typeof part.value === 'string' || part.value instanceof Uint8Array
      send(
        callId,
        { kind: 'reply-data' },
        toBytes(isPlain ? part.value : `${toJson(part.value)}\n`),
      )
      await takeCredit(signal)
      if (signal.aborted) {
        await parts.return?.(undefined)
        return send(callId, { kind: 'cancelled' })
      }
      part = await parts.next()
    }
  } catch (error) {
    printError(error)
    return send(callId, { kind: 'reply-broken', message: String(error) })
  }
  send(callId, { kind: 'reply-end' })
}

function partsOf(
  value: AsyncIterable<unknown> | Iterable<unknown>,
): AsyncIterator<unknown> | Iterator<unknown> {
  return Symbol.asyncIterator in value ? value[Symbol.asyncIterator]() : value[Symbol.iterator]()
}

/** Waits until another part may be sent, or nobody waits for it. The turn lets messages come through between two parts. */
async function takeCredit(signal: AbortSignal): Promise<void> {
  await turn()
  creditCount -= 1
  while (creditCount <= 0 && !signal.aborted) {
    const { promise, resolve } = Promise.withResolvers<void>()
    onCredit = resolve
    signal.addEventListener('abort', () => resolve(), { once: true })
    await promise
  }
}

function send(callId: number, message: WorkerMessage, body?: Uint8Array): void {
  // A copy: what user code keeps must stay its own.
  const copy = body && new Uint8Array(body)
  const envelope: FromThread = { callId, message, body: copy }
  port.postMessage(envelope, copy === undefined ? [] : [copy.buffer])
}
