/** One closed loop of frames to one worker; prints one JSON line. The counterpart of `load-child.ts` at one connection. */
import { connect } from 'node:net'
import { FrameOutbox } from '../../src/wire/frame-outbox.ts'
import { type Frame, FrameReader } from '../../src/wire/frame-reader.ts'
import { FRAME, LAST, parseReplyFrame } from '../../src/wire/frames.ts'
import type { FramesLoadResult, FramesLoadSpec } from './frames-load.ts'
import { encodeInstances, makeRows } from './rows.ts'
import { percentile } from './stats.ts'

const WINDOW_BYTES = 256 * 1024
const TIME_LEFT_MS = 60_000
const HEADERS = { 'content-type': 'application/json', accept: 'application/json' }

const spec = JSON.parse(process.argv[2] ?? '') as FramesLoadSpec
process.stdout.write(`${JSON.stringify(await run(spec))}\n`)

function run({ socketPath, warmMs, measuredMs }: FramesLoadSpec): Promise<FramesLoadResult> {
  const bodies = makeRows().map((row) => Buffer.from(encodeInstances(row)))
  const latenciesUs: number[] = []
  const outbox = new FrameOutbox()
  const measureFromMs = performance.now() + warmMs
  let firstBody: string | undefined
  let streamId = 0
  let sentAtMs = 0
  return new Promise((settle, fail) => {
    const socket = connect({ path: socketPath })
    const flush = () => {
      for (const buffer of outbox.take()) socket.write(buffer)
    }
    const send = () => {
      const body = bodies[streamId % bodies.length] ?? Buffer.alloc(0)
      streamId += 1
      sentAtMs = performance.now()
      const head = { timeLeftMs: TIME_LEFT_MS, bodyBytes: body.length, headers: HEADERS }
      outbox.request(streamId, head, body, true)
      flush()
    }
    const take = ({ kind, flags, payload }: Frame) => {
      if (kind === FRAME.pace) return
      if (kind !== FRAME.reply || (flags & LAST) === 0) {
        return fail(new Error(`A reply came as a frame of kind ${kind}.`))
      }
      const { statusCode, part } = parseReplyFrame(payload)
      if (statusCode !== 200) return fail(new Error(`${statusCode} ${part.toString()}`))
      firstBody ??= part.toString()
      const nowMs = performance.now()
      if (sentAtMs >= measureFromMs) latenciesUs.push((nowMs - sentAtMs) * 1000)
      if (nowMs < measureFromMs + measuredMs) return send()
      socket.destroy()
      const p50Us = percentile(latenciesUs, 0.5)
      settle({ p50Us, p99Us: percentile(latenciesUs, 0.99), firstBody })
    }
    const reader = new FrameReader(() => undefined, take)
    socket.on('data', (chunk: Buffer) => reader.read(chunk))
    socket.once('error', fail)
    socket.once('connect', () => {
      outbox.hello(WINDOW_BYTES)
      send()
    })
  })
}
