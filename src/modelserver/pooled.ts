import { flushCompileCache } from 'node:module'
import { SpareWorker } from './onnx/spare-worker.ts'
import { rehearse } from './rehearsal.ts'
import { EXIT_CODES, StartFailure } from './start-failure.ts'

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
  await rehearse(spareWorker)
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
