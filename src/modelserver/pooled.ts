import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { flushCompileCache } from 'node:module'
import { join } from 'node:path'
import type { Image, Reply } from './image.ts'
import { listen } from './listen.ts'
import { findModel } from './onnx/find-model.ts'
import { SpareWorker } from './onnx/spare-worker.ts'
import { parseOptions } from './options.ts'
import { ModelServer } from './server.ts'
import { EXIT_CODES, StartFailure } from './start-failure.ts'

// The first time compiles; the second one finds out what else there is to compile.
const REHEARSALS = 2

/** What this process is to become. */
export interface Assignment {
  /** As if the process had been started with them. */
  readonly arguments: readonly string[]
  /** To be added to what it was started with. */
  readonly environment: Readonly<Record<string, string>>
}

/** What a process of the warm pool tells the one that started it; see `adapters/process/pool-member.ts`. */
type ToControl = { readonly kind: 'ready' } | { readonly kind: 'assigned' }

/**
 * Boots without a model, says so and waits to be told what to become; then it is a server like any other.
 *
 * When the channel closes first, nobody will ever ask: it ends.
 *
 * @throws StartFailure `badOptions`: nobody who could tell it has started it.
 */
export async function waitForAssignment(
  end: (exitCode: number, lastLine: string) => void,
): Promise<Assignment & { readonly spareWorker: SpareWorker }> {
  const { channel } = process
  if (channel === undefined || channel === null) {
    throw new StartFailure('badOptions', '--pooled is for processes with a channel to their parent')
  }
  const orphaned = (): void =>
    end(EXIT_CODES.stopped, 'control is gone and nobody else needs a process of its warm pool')
  process.once('disconnect', orphaned)
  const spareWorker = await SpareWorker.start((reason) => {
    end(EXIT_CODES.bug, `the inference thread that waited for a model died: ${reason}`)
  })
  await rehearse()
  // Whoever ends this process may well use SIGKILL, which writes nothing down.
  flushCompileCache()
  const { promise, resolve } = Promise.withResolvers<Assignment>()
  process.once('message', resolve)
  tell({ kind: 'ready' })
  const assignment = await promise
  process.removeListener('disconnect', orphaned)
  // The last word: from here on nothing ties it to control.
  tell({ kind: 'assigned' }, () => process.disconnect())
  return { ...assignment, spareWorker }
}

function tell(message: ToControl, onSent?: () => void): void {
  process.send?.(message, undefined, {}, () => onSent?.())
}

/**
 * Finds a model and answers for it, on a socket that nobody knows: what this thread does on the way to a first answer takes
 * several times as long the first time.
 */
async function rehearse(): Promise<void> {
  // In the instance's folder, with which it goes at last; relative, so that no path is too long for a socket.
  const folder = await mkdtemp('rehearsal-')
  try {
    await writeFile(join(folder, 'model.onnx'), '')
    const socketPath = join(folder, '0.sock')
    const flags = ['--image=berth/onnx', `--model-directory=${folder}`, `--socket=${socketPath}`]
    const { address, imageName, bodyBytesMax, modelDirectory } = parseOptions(flags, {})
    await findModel(modelDirectory)
    const nowMs = (): number => performance.now()
    const log = (): void => undefined
    const modelServer = new ModelServer({ image: STAND_IN, imageName, bodyBytesMax, nowMs, log })
    await listen(modelServer.server, address)
    for (let time = 0; time < REHEARSALS; time += 1) {
      await ask(socketPath, 'GET', '/ping')
      await ask(socketPath, 'POST', '/invocations')
    }
    await modelServer.close()
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function ask(socketPath: string, method: string, path: string): Promise<void> {
  const asking = request({ socketPath, method, path, agent: false })
  asking.end(method === 'POST' ? '{"instances":[[1,2]]}' : '')
  const [reply]: IncomingMessage[] = await once(asking, 'response')
  if (reply !== undefined) await once(reply.resume(), 'end')
}

const EMPTY: Reply = { status: 200, headers: {}, body: Buffer.alloc(0) }

const STAND_IN: Image = {
  frameSuffixes: ['w0'],
  usedCount: () => 0,
  ping: () => Promise.resolve(EMPTY),
  invoke: () => Promise.resolve(EMPTY),
  drain: () => Promise.resolve(),
  close: () => Promise.resolve(),
}
