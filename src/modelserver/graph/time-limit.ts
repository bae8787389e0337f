import { NodeFailure } from './node-failure.ts'

/**
 * Runs a piece of work whose signal also aborts after some time, with a {@link NodeFailure} 504 as its reason.
 *
 * @param what for the sentence: `Node cheap`.
 */
export async function withinTime<Result>(
  what: string,
  limitMs: number | undefined,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  if (limitMs === undefined) return work(signal)
  const limit = new AbortController()
  const stop = (): void => limit.abort(signal.reason)
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop, { once: true })
  const { promise: late, reject } = Promise.withResolvers<never>()
  limit.signal.addEventListener('abort', () => reject(limit.signal.reason), { once: true })
  const timer = setTimeout(() => {
    limit.abort(new NodeFailure(`${what} gave no answer within ${limitMs} ms.`, 504))
  }, limitMs)
  late.catch(() => undefined)
  const done = work(limit.signal)
  done.catch(() => undefined)
  try {
    return await Promise.race([done, late])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
  }
}
