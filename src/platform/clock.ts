import { setTimeout as wait } from 'node:timers/promises'
import type { Clock } from '../ports/clock.ts'

/** The machine's clock. A wait keeps the process alive; abort its signal to end it. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  async sleep(delayMs, signal) {
    signal.throwIfAborted()
    try {
      await wait(delayMs, undefined, { signal })
    } catch (error) {
      // The timer wraps the reason in an AbortError of its own; callers compare with the signal's reason.
      signal.throwIfAborted()
      throw error
    }
  },
}
