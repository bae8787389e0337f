import { CircuitBreaker } from '../../domain/circuit-breaker.ts'
import { Hedging } from '../../domain/graph/hedging.ts'
import type { CallNode } from '../../domain/graph/graph.ts'
import { NodeFailure } from './node-failure.ts'

/** Sends a call within what its node allows: not while its target is left alone, a second time when it is slow. */
export class Guard {
  readonly #breaker: CircuitBreaker | undefined
  readonly #hedging: Hedging | undefined

  constructor({ breaker, hedge }: Pick<CallNode, 'breaker' | 'hedge'>) {
    this.#breaker = breaker && new CircuitBreaker(breaker)
    this.#hedging = hedge && new Hedging(hedge)
  }

  async send<Reply>(
    target: string,
    call: (signal: AbortSignal) => Promise<Reply>,
    signal: AbortSignal,
  ): Promise<Reply> {
    const startedAtMs = performance.now()
    if (this.#breaker?.admit(startedAtMs) === false) {
      const openMs = Math.ceil(this.#breaker.openForMs(startedAtMs))
      throw new NodeFailure(`The ${target} keeps failing and is left alone for ${openMs} ms.`, 503)
    }
    try {
      const reply = await untilAborted(this.#hedged(call, signal), signal)
      this.#breaker?.recordSuccess()
      this.#hedging?.record(performance.now() - startedAtMs)
      return reply
    } catch (error) {
      this.#recordFailure(error, signal)
      throw error
    }
  }

  // A refused input says nothing of the target; nor does a caller that left. A time-out does.
  #recordFailure(error: unknown, signal: AbortSignal): void {
    const isRefusal = error instanceof NodeFailure && error.status < 500
    if (isRefusal) this.#breaker?.recordSuccess()
    else if (signal.aborted && !(signal.reason instanceof NodeFailure))
      this.#breaker?.recordNothing()
    else this.#breaker?.recordFailure(performance.now())
  }

  async #hedged<Reply>(
    call: (signal: AbortSignal) => Promise<Reply>,
    signal: AbortSignal,
  ): Promise<Reply> {
    const delayMs = this.#hedging?.decideDelayMs()
    if (delayMs === undefined) return call(signal)
    const done = new AbortController()
    const both = AbortSignal.any([signal, done.signal])
    const { promise: second, resolve, reject } = Promise.withResolvers<Reply>()
    second.catch(() => undefined)
    const timer = setTimeout(() => {
      if (this.#hedging?.claimSecondCall() === true) call(both).then(resolve, reject)
    }, delayMs)
    // A first call that fails ends both: hedging is against slowness, not a second try.
    const first = call(both)
    try {
      return await Promise.race([first, second.catch(() => first)])
    } finally {
      clearTimeout(timer)
      first.catch(() => undefined)
      done.abort(new Error('the other call has answered'))
    }
  }
}

// Ends with the signal, whatever the call still waits for: a time-out counts when it passes, before its caller can call again.
function untilAborted<Reply>(call: Promise<Reply>, signal: AbortSignal): Promise<Reply> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = (): void => reject(signal.reason)
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort, { once: true })
  return Promise.race([call, aborted]).finally(() => signal.removeEventListener('abort', abort))
}
