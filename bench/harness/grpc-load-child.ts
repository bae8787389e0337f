/**
 * The load generator for gRPC, the counterpart of `load-child.ts`: one HTTP/2 connection by Node's own client, a closed loop on
 * each of so many streams, messages encoded before. Prints one JSON line.
 */
import { connect } from 'node:http2'
import type { GrpcLoadSpec } from './load.ts'
import { LoadTally } from './load-tally.ts'

// Of a message in a gRPC stream: a byte for compression, and its length.
const PREFIX_BYTES = 5
// Large answers must not wait for leave to be sent.
const WINDOW_BYTES = 2 ** 30

const spec = JSON.parse(process.argv[2] ?? '') as GrpcLoadSpec
const { address, method, connectionCount } = spec
if (address.kind !== 'tcp') throw new Error('gRPC is measured over TCP.')
const session = connect(`http://${address.host}:${address.port}`, {
  settings: { initialWindowSize: WINDOW_BYTES },
})
await new Promise((resolve, reject) => session.once('connect', resolve).once('error', reject))
session.setLocalWindowSize(WINDOW_BYTES)
const tally = new LoadTally(spec)
await Promise.all(Array.from({ length: connectionCount }, () => runStreams()))
process.stdout.write(`${JSON.stringify(tally.result())}\n`)
session.destroy()

/** One call after the other, until the time or the messages are over. */
async function runStreams(): Promise<void> {
  for (let message = tally.take(); message !== undefined; message = tally.take()) {
    await call(message)
  }
}

function call(message: Buffer): Promise<void> {
  return new Promise((settle, fail) => {
    const sentAtMs = performance.now()
    const stream = session.request({
      ':method': 'POST',
      ':path': method,
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    const chunks: Buffer[] = []
    let status: unknown
    // An answer without a message has them as its only headers.
    const take = (headers: Readonly<Record<string, unknown>>) => {
      status ??= headers['grpc-status']
      if (status !== '0' && status !== undefined) tally.failed(JSON.stringify(headers))
    }
    stream.on('response', take)
    stream.on('trailers', take)
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('error', fail)
    stream.on('end', () => {
      if (status === '0') {
        tally.answered(sentAtMs, () => {
          return Buffer.concat(chunks).subarray(PREFIX_BYTES).toString('latin1')
        })
      }
      settle()
    })
    stream.end(message)
  })
}
