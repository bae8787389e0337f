/**
 * The load generator: a process of its own, so that it shares no thread with anything measured.
 *
 * A closed loop: every connection sends the next prepared request as soon as its last one was answered. Prints one JSON line.
 */
import { connect } from 'node:net'
import { connectOptions } from './address.ts'
import type { LoadSpec } from './load.ts'
import { LoadTally } from './load-tally.ts'
import { ResponseReader } from './response-reader.ts'

const HTTP_OK = 200

const spec = JSON.parse(process.argv[2] ?? '') as LoadSpec
const tally = new LoadTally(spec)
await Promise.all(Array.from({ length: spec.connectionCount }, () => runConnection()))
process.stdout.write(`${JSON.stringify(tally.result())}\n`)

/** One connection, until the time or the requests are over. */
function runConnection(): Promise<void> {
  const { address, steps } = spec
  return new Promise((settle, fail) => {
    const socket = connect(connectOptions(address))
    const reader = new ResponseReader()
    let sentAtMs = 0
    let stepIndex = 0
    const next = () => {
      const request = tally.take()
      if (request === undefined) {
        socket.removeAllListeners('end')
        socket.destroy()
        return settle()
      }
      stepIndex = 0
      sentAtMs = performance.now()
      send(request)
    }
    const send = (request: Buffer) => {
      const step = steps?.[stepIndex]
      socket.write(step === undefined ? request : Buffer.concat([Buffer.from(step.head), request]))
    }
    socket.once('connect', next)
    socket.on('data', (bytes: Buffer) => {
      const response = reader.read(bytes)
      if (response === undefined) return
      if (response.status !== HTTP_OK) {
        tally.failed(response.bytes.toString('latin1'))
        return next()
      }
      stepIndex += 1
      const step = steps?.[stepIndex]
      if (step !== undefined) return send(response.bytes.subarray(-step.tensorBytes))
      tally.answered(sentAtMs, () => bodyOf(response.bytes))
      next()
    })
    socket.once('error', fail)
    socket.once('end', () => fail(new Error('The server closed a connection under load.')))
  })
}

function bodyOf(response: Buffer): string {
  return response.toString('latin1').split('\r\n\r\n').slice(1).join('\r\n\r\n')
}
