import { Buffer } from 'node:buffer'
import type { Image, Reply } from '../image.ts'
import type { Log } from '../log.ts'
import { invokeImage } from '../invoke-image.ts'
import type { IncomingCall } from './incoming-call.ts'

/** Answers calls that come by frames with an image that serves them one by one, as its HTTP server does. */
export function serveImageByFrames(image: Image, log: Log): (call: IncomingCall) => void {
  return (call) => void answer(image, call, log)
}

async function answer(image: Image, call: IncomingCall, log: Log): Promise<void> {
  const caller = new AbortController()
  call.onCancel = () => caller.abort()
  try {
    // As many bytes as came: HTTP's server would have been told the length.
    const headers = { ...call.headers.all(), 'content-length': String(call.body.length) }
    const invocation = { method: 'POST', path: '/invocations', headers, body: call.body }
    await send(call, await invokeImage(image, invocation, { signal: caller.signal, log }))
  } catch (error) {
    call.fail('broken', 'The reply cannot be finished.')
    if (!caller.signal.aborted) log('warn', 'reply broken off', { reason: String(error) })
  }
}

async function send(call: IncomingCall, { status, headers, body }: Reply): Promise<void> {
  if (body instanceof Uint8Array) {
    call.reply(status, headers, Buffer.from(body.buffer, body.byteOffset, body.byteLength))
    return
  }
  call.startReply(status, headers)
  for await (const chunk of body) {
    if (call.isOver) return
    const isTaken = call.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
    if (!isTaken) await drained(call)
  }
  call.endReply()
}

// Resolves when more may be written, or nobody would read it.
async function drained(call: IncomingCall): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const abort = call.onCancel
  call.onDrain = resolve
  call.onCancel = () => {
    resolve()
    abort?.()
  }
  await promise
  call.onCancel = abort
}
