import type { Socket } from 'node:net'

import type { Clock } from '../../ports/clock.ts'
import { ClientConnection } from './connection.ts'
import type { ConnectionDeps } from './connection.ts'
import { ReplyHeadEncoder } from './reply-head.ts'
import { TimerWheel } from './timer-wheel.ts'

const TICK_MS = 250

/** What the raw front takes from its surroundings. */
export interface FrontDeps extends Pick<
  ConnectionDeps,
  'limits' | 'isStopping' | 'serve' | 'handOver'
> {
  readonly clock: Clock
}

/**
 * The raw front: reads regular invocations from sockets itself and gives every other connection to node's HTTP server
 * with its bytes unread.
 *
 * Receiving and answering an invocation takes 17 µs of CPU this way and 40 µs by `node:http`, mostly for its streams and
 * objects (docs/decisions/0004-raw-front.md).
 */
export class Front {
  readonly #wheel = new TimerWheel(TICK_MS)
  readonly #connections = new Set<ClientConnection>()
  readonly #deps: ConnectionDeps

  constructor({ clock, ...deps }: FrontDeps) {
    this.#deps = {
      ...deps,
      heads: new ReplyHeadEncoder(clock, deps.limits.idleTimeoutMs),
      wheel: this.#wheel,
      onGone: (connection) => this.#connections.delete(connection),
    }
  }

  /** Connections it holds now; those handed over are not its own any more. */
  get connectionCount(): number {
    return this.#connections.size
  }

  start(): void {
    this.#wheel.start()
  }

  accept(socket: Socket): void {
    this.#connections.add(new ClientConnection(socket, this.#deps))
  }

  closeIdleConnections(): void {
    for (const connection of this.#connections) if (connection.isIdle) connection.close()
  }

  closeAllConnections(): void {
    for (const { socket } of this.#connections) socket.destroy()
  }

  stop(): void {
    this.#wheel.stop()
  }
}
