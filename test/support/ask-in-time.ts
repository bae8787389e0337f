import { until } from './until.ts'

/**
 * Asks again for as long as what came back is that the invocation's deadline has passed: for tests that shorten the deadline,
 * on a machine that may be busy elsewhere. Whatever else comes back, an error included, is the outcome.
 */
export async function askInTime<T>(ask: () => Promise<T>): Promise<T> {
  const settled = await until('an answer before the deadline', async () => {
    const [outcome] = await Promise.allSettled([ask()])
    return !isDeadline(outcome) && outcome
  })
  if (settled.status === 'rejected') throw settled.reason
  return settled.value
}

function isDeadline(outcome: PromiseSettledResult<unknown>): boolean {
  return (
    outcome.status === 'rejected' &&
    outcome.reason instanceof Error &&
    outcome.reason.message.includes('timed out while waiting for a response')
  )
}
