import { isInProgress } from '../../domain/endpoint.ts'
import type { Endpoint } from '../../domain/endpoint.ts'
import type { OperationContext } from './operation.ts'

// A waiter asks within moments of the change. Who asks later polls, and wants the status of now.
const FRESH_MS = 20_000

/**
 * The endpoint once it has settled, or as it is when the hold is over.
 *
 * SDK waiters look at once and then sleep 30 s; a change that takes two seconds would cost half a minute. So an
 * answer about a change that has only begun waits for its end, for a short while.
 */
export async function findSettledEndpoint(
  name: string,
  { store, clock, describeHoldMs, signal }: OperationContext,
): Promise<Endpoint | undefined> {
  const untilMs = clock.nowMs() + describeHoldMs
  let changed = Promise.withResolvers<void>()
  const stopListening = store.onEndpointChange((changedName) => {
    if (changedName.toLowerCase() === name.toLowerCase()) changed.resolve()
  })
  try {
    for (;;) {
      changed = Promise.withResolvers()
      const endpoint = await store.findEndpoint(name)
      const remainingMs = untilMs - clock.nowMs()
      if (endpoint === undefined || remainingMs <= 0 || signal.aborted) return endpoint
      if (!isFreshChange(endpoint, clock.nowMs())) return endpoint
      await waitFor(changed.promise, remainingMs, clock, signal)
    }
  } finally {
    stopListening()
  }
}

/** Whether the endpoint is in a change that has only begun. */
export function isFreshChange(endpoint: Endpoint, nowMs: number): boolean {
  const sinceMs = endpoint.deployment?.startedAtMs ?? endpoint.modifiedAtMs
  return isInProgress(endpoint.status) && nowMs - sinceMs < FRESH_MS
}

// Ends with whichever comes first: the change, the time, or the abort.
async function waitFor(
  changed: Promise<void>,
  durationMs: number,
  clock: OperationContext['clock'],
  signal: AbortSignal,
): Promise<void> {
  const enough = new AbortController()
  const asleep = clock.sleep(durationMs, AbortSignal.any([signal, enough.signal]))
  await Promise.race([changed, asleep.catch(() => undefined)])
  enough.abort()
}
