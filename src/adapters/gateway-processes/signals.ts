import { setTimeout as sleep } from 'node:timers/promises'

import { isRunning } from '../../platform/process-identity.ts'
import type { ProcessIdentity } from '../../platform/process-identity.ts'

const POLL_MS = 20

/** Signals the very process that was recorded; does nothing when it is gone. */
export function signalProcess(target: ProcessIdentity, signal: NodeJS.Signals): void {
  if (!isRunning(target)) return
  try {
    process.kill(target.pid, signal)
  } catch {
    // It died between the look and the signal.
  }
}

/** Resolves when the process is gone; kills it when the signal aborts first. */
export async function waitUntilGone(target: ProcessIdentity, signal: AbortSignal): Promise<void> {
  while (isRunning(target)) {
    if (signal.aborted) signalProcess(target, 'SIGKILL')
    await sleep(POLL_MS)
  }
}
