import { setTimeout as delay } from 'node:timers/promises'

/**
 * Waits on a condition: resolves with its first result that is neither `undefined` nor `false`.
 *
 * The time limit only ends a test that hangs: it is no bound for what is waited for, however slow the machine is.
 *
 * @throws Error naming what was waited for when `timeoutMs` has passed.
 */
export async function until<T>(
  what: string,
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = 120_000,
): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs
  for (;;) {
    const result = await condition()
    if (result !== undefined && result !== false) return result
    if (performance.now() > deadlineMs)
      throw new Error(`Waited ${timeoutMs} ms in vain for ${what}`)
    await delay(POLL_MS)
  }
}

const POLL_MS = 25
