/**
 * A built-in image as one container: a child process that answers `GET /ping` and `POST /invocations`.
 *
 * The only file of the room that acts when it is imported. Last line on stderr: why it ended, for people.
 */
import { environment } from '../platform/config.ts'
import { startEchoImage } from './echo/echo-image.ts'
import type { Image } from './image.ts'
import { listen } from './listen.ts'
import { createLog } from './log.ts'
import { startOnnxImage } from './onnx/onnx-image.ts'
import type { SpareWorker } from './onnx/spare-worker.ts'
import { parseOptions } from './options.ts'
import type { Options } from './options.ts'
import { waitForAssignment } from './pooled.ts'
import { ModelServer } from './server.ts'
import { EXIT_CODES, StartFailure } from './start-failure.ts'

// The platform kills 30 s after SIGTERM; what is outstanding by then would be lost without a word. Connections are
// cut first; only an inference that goes on in native code then needs the signal, for an exit would wait for it.
const CUT_AFTER_MS = 24_000
const KILL_AFTER_MS = 25_000
// Orphans end within this much after their idle time.
const IDLE_POLL_MS = 1000

const nowMs = (): number => performance.now()
const log = createLog((line) => process.stdout.write(line), Date.now)
// Whoever reads the output may be killed before us; that must not end an instance that serves.
for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined)
process.once('uncaughtException', (error) => exitWith(EXIT_CODES.bug, error.stack ?? error.message))
await start().catch((error: unknown) => exitBecause(error))

async function start(): Promise<void> {
  const args = process.argv.slice(2)
  if (args.join(' ') !== '--pooled') return serve(args, environment())
  const assignment = await waitForAssignment(exitWith)
  const { spareWorker } = assignment
  return serve(assignment.arguments, { ...environment(), ...assignment.environment }, spareWorker)
}

async function serve(
  args: readonly string[],
  variables: ReturnType<typeof environment>,
  spareWorker?: SpareWorker,
): Promise<void> {
  const options = parseOptions(args, variables)
  const image = await startImage(options, variables, spareWorker)
  const { imageName, bodyBytesMax } = options
  const modelServer = new ModelServer({ image, imageName, bodyBytesMax, nowMs, log })
  await listen(modelServer.server, options.address)
  log('info', 'model server started', { image: imageName, pid: process.pid })
  const stop = (reason: string): void => void drain(modelServer, image, reason)
  process.once('SIGTERM', () => stop('SIGTERM'))
  process.once('SIGINT', () => stop('SIGINT'))
  if (options.idleExitMs > 0) stopWhenIdle(modelServer, options.idleExitMs, stop)
}

// Most images are loaded when they are asked for: the others would wait for what only those need (protobufjs among it).
async function startImage(
  options: Options,
  variables: ReturnType<typeof environment>,
  spareWorker: SpareWorker | undefined,
): Promise<Image> {
  const { address } = options
  const socketPath = 'socketPath' in address ? address.socketPath : undefined
  const common = { ...options, socketPath, environment: variables, log }
  const onStartFailure = exitBecause
  if (variables['SAGEMAKER_MULTI_MODEL'] === 'true') {
    const { startMultiModelImage } = await import('./multi-model/start.ts')
    return startMultiModelImage(common)
  }
  switch (options.imageName) {
    case 'berth/onnx':
      return startOnnxImage({ ...options, socketPath, spareWorker, log, onStartFailure })
    case 'berth/python': {
      const { startPythonImage } = await import('./python/python-image.ts')
      return startPythonImage({ ...common, onStartFailure })
    }
    case 'berth/node': {
      const { startNodeImage } = await import('./node/node-image.ts')
      return startNodeImage({ ...common, onStartFailure })
    }
    case 'berth/triton': {
      const { startTritonImage } = await import('./triton/triton-image.ts')
      return startTritonImage({ ...common, onStartFailure })
    }
    case 'berth/graph': {
      const { startGraphImage } = await import('./graph/graph-image.ts')
      return startGraphImage(common)
    }
    case 'berth/echo':
      return startEchoImage({ ...common, exit: exitWith })
  }
}

async function drain(modelServer: ModelServer, image: Image, reason: string): Promise<void> {
  log('info', 'model server draining', { reason })
  setTimeout(() => {
    log('warn', 'model server gave up draining', { afterMs: CUT_AFTER_MS })
    modelServer.server.closeAllConnections()
  }, CUT_AFTER_MS).unref()
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), KILL_AFTER_MS).unref()
  // In this order: a call over HTTP must not begin a run in a worker that has said it is done.
  await modelServer.close()
  await image.drain()
  await image.close()
  end(EXIT_CODES.stopped)
}

function stopWhenIdle(
  modelServer: ModelServer,
  idleExitMs: number,
  stop: (reason: string) => void,
): void {
  const timer = setInterval(() => {
    if (modelServer.idleMs() < idleExitMs) return
    clearInterval(timer)
    stop(`nobody pinged or invoked for ${idleExitMs / 1000} s`)
  }, IDLE_POLL_MS)
}

function exitBecause(error: unknown): void {
  if (error instanceof StartFailure) exitWith(EXIT_CODES[error.reason], error.message)
  else
    exitWith(
      EXIT_CODES.bug,
      error instanceof Error ? (error.stack ?? error.message) : String(error),
    )
}

function exitWith(exitCode: number, lastLine: string): void {
  process.stderr.write(`${lastLine}\n`)
  end(exitCode)
}

function end(exitCode: number): void {
  process.exit(exitCode)
}
