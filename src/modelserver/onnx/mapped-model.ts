import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { artefactKey } from '../compile/artefact-key.ts'
import { findDamage, MODEL_NAME, readManifest, suspectPath } from '../compile/artefact.ts'
import type { OptimisedForm } from './optimised-form.ts'
import { createSession, runtimeVersion } from './session.ts'
import type { Session } from './session.ts'
import { TwoSpeedSession } from './two-speed-session.ts'

// How often a session that could be faster asks whether it is time.
const LOOK_INTERVAL_MS = 50

/** Something for the log that a worker has no answer to give about. */
export type Note = (event: string, fields: Readonly<Record<string, string | number>>) => void

/**
 * Loads a model by mapping its optimised form: in milliseconds whatever its size, its weights in the page cache and
 * there once for all workers.
 *
 * @returns `undefined` when the original must serve; why is noted, and left for the optimiser to look into.
 */
export async function loadMapped(
  { directory, turn }: OptimisedForm,
  note: Note,
): Promise<Session | undefined> {
  try {
    const damage = findDamage(directory, artefactKey(runtimeVersion()))
    if (damage !== undefined) throw new Error(damage)
    const path = join(directory, MODEL_NAME)
    const first = await createSession(path, { isPrepacked: false })
    if (readManifest(directory)?.hasPrepacked !== true) return first
    const session = new TwoSpeedSession({
      first,
      createSecond: () => createSession(path, { isPrepacked: true }),
      turn,
      nowMs: Date.now,
      onChanged: (change) => {
        if ('error' in change) note('batches stay slow', { reason: change.error.message })
        else note('batches became fast', { tookMs: change.tookMs })
      },
    })
    const timer = setInterval(() => {
      if (session.look()) clearInterval(timer)
    }, LOOK_INTERVAL_MS).unref()
    return session
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    note('optimised model not used', { directory, reason })
    markSuspect(directory, reason)
    return undefined
  }
}

function markSuspect(directory: string, reason: string): void {
  try {
    writeFileSync(suspectPath(directory), reason, { mode: 0o600 })
  } catch {
    // The folder of models may be read-only to us; the original serves all the same.
  }
}
