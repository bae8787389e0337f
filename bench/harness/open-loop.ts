import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Address, connectOptions } from './address.ts'
import { ResponseReader } from './response-reader.ts'

// A client population, not a pool: whoever has no free connection opens one, up to this many.
const CONNECTIONS_MAX = 2_000
const ANSWER_MS_MAX = 70_000

/** One invocation of an open loop. */
export interface OpenLoopCall {
  /** Since the start of the loop: when it was due, whether or not it could be sent then. */
  readonly dueAtMs: number
  /** 0: no answer. */
  readonly status: number
  /** From when it was due to the last byte of its answer. */
  readonly tookMs: number
}

/** What an open loop sends, and when. */
export interface OpenLoopSpec {
  readonly address: Address
  /** Sent in turn. */
  readonly requests: readonly Buffer[]
  readonly perSecond: (elapsedMs: number) => number
  readonly durationMs: number
}

interface Connection {
  readonly socket: Socket
  readonly reader: ResponseReader
  settle: ((status: number) => void) | undefined
}

/**
 * Sends invocations at the times of a Poisson process, whether or not earlier ones were answered.
 *
 * That is what overload is: a closed loop slows down with the server and never overloads it.
 */
export async function runOpenLoop(spec: OpenLoopSpec): Promise<readonly OpenLoopCall[]> {
  const { requests, perSecond, durationMs } = spec
  const idle: Connection[] = []
  const all: Connection[] = []
  const calls: Promise<OpenLoopCall>[] = []
  const startedAtMs = performance.now()
  let dueAtMs = 0
  while (dueAtMs < durationMs) {
    const waitMs = startedAtMs + dueAtMs - performance.now()
    if (waitMs >= 1) await sleep(waitMs)
    const connection = idle.pop() ?? open(spec.address, all)
    const request = requests[calls.length % requests.length]
    if (request === undefined) throw new Error('No requests to send.')
    calls.push(send(connection, request, { startedAtMs, dueAtMs, idle }))
    dueAtMs -= (1_000 / perSecond(dueAtMs)) * Math.log(1 - Math.random())
  }
  const done = Promise.all(calls)
  const late = sleep(ANSWER_MS_MAX, undefined, { ref: false }).then(() => {
    for (const { settle } of all) settle?.(0)
  })
  await Promise.race([done, late])
  const results = await done
  for (const { socket } of all) socket.destroy()
  return results
}

function open(address: Address, all: Connection[]): Connection {
  if (all.length >= CONNECTIONS_MAX) throw new Error(`More than ${CONNECTIONS_MAX} connections.`)
  const socket = connect(connectOptions(address))
  const connection: Connection = { socket, reader: new ResponseReader(), settle: undefined }
  socket.on('data', (bytes: Buffer) => {
    const response = connection.reader.read(bytes)
    if (response !== undefined) connection.settle?.(response.status)
  })
  const fail = () => connection.settle?.(0)
  socket.on('error', fail)
  socket.on('close', fail)
  all.push(connection)
  return connection
}

interface Moment {
  readonly startedAtMs: number
  readonly dueAtMs: number
  readonly idle: Connection[]
}

function send(connection: Connection, request: Buffer, moment: Moment): Promise<OpenLoopCall> {
  const { startedAtMs, dueAtMs, idle } = moment
  return new Promise((resolve) => {
    connection.settle = (status) => {
      connection.settle = undefined
      if (!connection.socket.destroyed && status !== 0) idle.push(connection)
      resolve({ dueAtMs, status, tookMs: performance.now() - startedAtMs - dueAtMs })
    }
    connection.socket.write(request)
  })
}
