import { request } from 'node:http'
import type { InstanceAddress } from '../../domain/fleet.ts'
import { FRAMES_HEADER } from '../../domain/frames-address.ts'
import type { PingOutcome } from '../../domain/health.ts'

const BODY_BYTES_MAX = 200

/** Asks one instance `GET /ping`; every way of not answering is an outcome. */
export async function ping(
  address: InstanceAddress,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<PingOutcome> {
  const timeout = AbortSignal.timeout(timeoutMs)
  try {
    return await askPing(address, AbortSignal.any([timeout, signal]))
  } catch (error) {
    const reason = timeout.aborted ? `no reply within ${timeoutMs / 1000} s` : describe(error)
    return { kind: 'no-answer', reason }
  }
}

function askPing(address: InstanceAddress, signal: AbortSignal): Promise<PingOutcome> {
  const { promise, resolve, reject } = Promise.withResolvers<PingOutcome>()
  const target =
    address.kind === 'socket'
      ? { socketPath: address.path }
      : { host: address.host, port: address.port }
  // A connection of its own: a ping must not wait behind, or keep alive, anything else.
  const asking = request({ ...target, path: '/ping', agent: false, signal }, (reply) => {
    let body = Buffer.alloc(0)
    const finish = (): void => {
      const bodyStart = body.toString('utf8', 0, BODY_BYTES_MAX).trim()
      const { [FRAMES_HEADER]: announced } = reply.headers
      const framesHeader = Array.isArray(announced) ? undefined : announced
      resolve({ kind: 'answered', status: reply.statusCode ?? 0, bodyStart, framesHeader })
      asking.destroy()
    }
    reply.on('data', (chunk: Buffer) => {
      body = Buffer.concat([body, chunk])
      if (body.length >= BODY_BYTES_MAX) finish()
    })
    reply.on('end', finish)
    reply.on('error', reject)
  })
  asking.on('error', reject)
  asking.end()
  return promise
}

const WORDS_BY_CODE: Readonly<Record<string, string>> = {
  ENOENT: 'it does not listen',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
}

function describe(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return WORDS_BY_CODE[code ?? ''] ?? message
}
