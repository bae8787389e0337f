import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { frameSocketPath, frameSocketSuffix } from '../domain/frames-address.ts'
import { FrameOutbox } from '../wire/frame-outbox.ts'
import { FrameReader } from '../wire/frame-reader.ts'
import { MANIFEST_NAME } from './compile/artefact.ts'
import { listen } from './listen.ts'
import { startOnnxImage } from './onnx/onnx-image.ts'
import type { SpareWorker } from './onnx/spare-worker.ts'
import { parseOptions } from './options.ts'
import { ModelServer } from './server.ts'

// A perceptron of four values, four hidden and two classes, as onnx.proto encodes it.
const MODEL =
  'CAgSC2JlcnRoIGJlbmNoOq4CChIKAXgKAXcKAWISAWgiBEdlbW0KDAoBaBIBciIEUmVsdQoSCgFyCgF2CgFjEgFzIgRHZW1tCg8KAXMSAXki' +
  'B1NvZnRtYXgSCXJlaGVhcnNhbCpLCAQIBBABQgF3SkAAAAC/AAAAAAAAAD8AAIC+AACAPgAAAL8AAAAAAAAAPwAAgL4AAIA+AAAAvwAAAAAAAAA/' +
  'AACAvgAAgD4AAAC/KhkIBBABQgFiShAAAAC/AAAAAAAAAD8AAIC+KisIBAgCEAFCAXZKIAAAAL8AAAAAAAAAPwAAgL4AAIA+AAAAvwAAAAAAAAA/' +
  'KhEIAhABQgFjSggAAAC/AAAAAFoYCgF4EhMKEQgBEg0KBxIFYmF0Y2gKAggEYhgKAXkSEwoRCAESDQoHEgViYXRjaAoCCAJCBAoAEBE='
const CALLS = [
  { contentType: 'application/json', body: '{"instances":[[0.25,0.5,0.75,1]]}' },
  { contentType: 'text/csv', body: '0.25,0.5,0.75,1' },
]
// The first time compiles; the second one finds out what else there is to compile.
const TIMES = 2
const POLL_MS = 2
const OPTIMISED = 'optimised'
const TIME_LEFT_MS = 10_000
const WINDOW_BYTES = 64 * 1024

/** One call of the rehearsal. */
type Call = (typeof CALLS)[number]

/**
 * Serves a tiny model from its first file to its last answer, by HTTP and by frames, on sockets that nobody knows.
 *
 * Nine tenths of the way of a small model to its first answer are code that runs for the first time: compiling it, and
 * ONNX Runtime's own beginnings. What has gone that way once goes it in a quarter of the time.
 */
export async function rehearse(spareWorker: SpareWorker): Promise<void> {
  // Relative, so that no data directory makes the sockets' paths too long; removed with the instance's folder at last.
  const folder = await mkdtemp('rehearsal-')
  try {
    await writeFile(join(folder, 'model.onnx'), Buffer.from(MODEL, 'base64'))
    // An optimised form that fits no processor: looking at it is rehearsed as well, and then the original serves.
    await mkdir(join(folder, OPTIMISED))
    const manifest = { version: 1, key: '', files: [] }
    await writeFile(join(folder, OPTIMISED, MANIFEST_NAME), JSON.stringify(manifest))
    await serveAll(folder, spareWorker)
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function serveAll(folder: string, spareWorker: SpareWorker): Promise<void> {
  const socketPath = join(folder, '0.sock')
  const options = parseOptions(
    [
      '--image=berth/onnx',
      `--model-directory=${folder}`,
      `--optimised-directory=${join(folder, OPTIMISED)}`,
      `--socket=${socketPath}`,
    ],
    {},
  )
  const failed = Promise.withResolvers<never>()
  const log = (): void => undefined
  const onStartFailure = failed.reject
  const image = await startOnnxImage({ ...options, socketPath, spareWorker, log, onStartFailure })
  const { imageName, bodyBytesMax } = options
  const nowMs = (): number => performance.now()
  const modelServer = new ModelServer({ image, imageName, bodyBytesMax, nowMs, log })
  await listen(modelServer.server, options.address)
  await Promise.race([callAll(socketPath), failed.promise])
  await modelServer.close()
  await image.drain()
  await spareWorker.takeBack()
}

async function callAll(socketPath: string): Promise<void> {
  while ((await ping(socketPath)) !== 200) await sleep(POLL_MS)
  const framesPath = frameSocketPath(socketPath, frameSocketSuffix(0))
  for (let time = 0; time < TIMES; time += 1) {
    for (const call of CALLS) {
      await callByHttp(socketPath, call)
      await callByFrames(framesPath, call)
    }
  }
}

async function ping(socketPath: string): Promise<number | undefined> {
  const asking = request({ socketPath, path: '/ping', agent: false }).end()
  return finish(await once(asking, 'response'))
}

async function callByHttp(socketPath: string, { contentType, body }: Call): Promise<void> {
  const headers = { 'content-type': contentType }
  const asking = request({
    socketPath,
    path: '/invocations',
    method: 'POST',
    headers,
    agent: false,
  })
  asking.end(body)
  await finish(await once(asking, 'response'))
}

async function finish([reply]: IncomingMessage[]): Promise<number | undefined> {
  if (reply === undefined) return undefined
  await once(reply.resume(), 'end')
  return reply.statusCode
}

async function callByFrames(path: string, { contentType, body }: Call): Promise<void> {
  const socket = connect(path)
  const answered = Promise.withResolvers<void>()
  const reader = new FrameReader(
    () => undefined,
    ({ streamId }) => {
      if (streamId === 1) answered.resolve()
    },
  )
  socket.on('data', (chunk: Buffer) => reader.read(chunk))
  socket.on('error', answered.reject)
  const bytes = Buffer.from(body)
  const head = { timeLeftMs: TIME_LEFT_MS, bodyBytes: bytes.length }
  const outbox = new FrameOutbox()
  outbox.hello(WINDOW_BYTES)
  outbox.request(1, { ...head, headers: { 'content-type': contentType } }, bytes, true)
  for (const buffer of outbox.take()) socket.write(buffer)
  await answered.promise
  socket.destroy()
  await once(socket, 'close')
}
