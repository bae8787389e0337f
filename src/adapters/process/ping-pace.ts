import { watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { nextPingDelayMs } from '../../domain/health.ts'
import type { Health, PingPolicy } from '../../domain/health.ts'
import type { Clock } from '../../ports/clock.ts'

// An instance's own, for HTTP and for frames; beside them lies its record, which control writes itself.
const SOCKET_NAME = /\.(?:sock|w\d+)$/
// Between the last socket and the first 200 lies about a millisecond. The delay doubles with every ping that comes too early.
const EAGER_DELAY_MS = 2

/**
 * When the next ping of one instance goes out: as the policy says, and at once when the starting instance opens a socket.
 *
 * Sockets only hasten what the policy's pings would find all the same: where the system watches no folders, or no more of
 * them, nothing else changes.
 */
export class PingPace implements Disposable {
  readonly #policy: PingPolicy
  readonly #clock: Clock
  #watcher: FSWatcher | undefined
  #opened = Promise.withResolvers<void>()
  #eagerDelayMs = Infinity

  /** @param folder where the instance opens its sockets; undefined when it listens elsewhere. */
  constructor(folder: string | undefined, policy: PingPolicy, clock: Clock) {
    this.#policy = policy
    this.#clock = clock
    if (folder !== undefined) this.#watcher = watchSockets(folder, () => this.#noticeSocket())
  }

  /** A ping begins: a socket that is opened from now on makes another one worth while. */
  begin(): void {
    this.#opened = Promise.withResolvers<void>()
  }

  /** Waits until the next ping is due. @throws the signal's reason when it aborts first. */
  async wait(health: Health, nowMs: number, signal: AbortSignal): Promise<void> {
    const delayMs = nextPingDelayMs(health, nowMs, this.#policy)
    if (health.verdict !== 'starting') this[Symbol.dispose]()
    const isAwaited = health.verdict === 'starting' && health.goodCount === 0
    if (!isAwaited) return this.#clock.sleep(delayMs, signal)
    const eagerDelayMs = this.#eagerDelayMs
    this.#eagerDelayMs *= 2
    await this.#sleepUntilSocket(Math.min(eagerDelayMs, delayMs), signal)
  }

  [Symbol.dispose](): void {
    this.#watcher?.close()
    this.#watcher = undefined
  }

  async #sleepUntilSocket(delayMs: number, signal: AbortSignal): Promise<void> {
    const woken = new AbortController()
    const either = AbortSignal.any([signal, woken.signal])
    const slept = this.#clock.sleep(delayMs, either).catch(() => undefined)
    await Promise.race([slept, this.#opened.promise])
    woken.abort()
    await slept
    signal.throwIfAborted()
  }

  #noticeSocket(): void {
    this.#eagerDelayMs = EAGER_DELAY_MS
    this.#opened.resolve()
  }
}

function watchSockets(folder: string, onSocket: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, { persistent: false }, (_event, name) => {
      if (name !== null && SOCKET_NAME.test(name)) onSocket()
    })
    return watcher.on('error', () => watcher.close())
  } catch {
    return undefined
  }
}
