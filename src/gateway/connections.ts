import { availableParallelism } from 'node:os'
import { containerKey, containerRoutesOf } from '../domain/routes.ts'
import type { ContainerRoute, EndpointRoute } from '../domain/routes.ts'
import { FRAMES_VERSION } from '../wire/frames.ts'
import { FrameTransport } from './frames/frame-transport.ts'
import { createHttpTransport } from './http-transport.ts'
import type { Transport } from './transport.ts'

/** Bounds of the connections to instances, and what they speak. */
export interface ConnectionLimits {
  readonly slotsPerInstance: number
  /** `http` leaves frames unused, to compare the two. */
  readonly transport: 'frames' | 'http'
  /** `off` to sleep while the reply of a small model is awaited. */
  readonly polling: 'on' | 'off'
}

// A worker needs the core that a polling gateway would keep busy.
const HAS_CORE_TO_SPARE = availableParallelism() > 1

interface Entry {
  readonly framePaths: string
  readonly transport: Transport
}

/** Kept-alive connections to containers: by frames where one speaks them in our version, else by HTTP. */
export class Connections {
  readonly #entryByContainer = new Map<string, Entry>()
  readonly #limits: ConnectionLimits

  constructor(limits: ConnectionLimits) {
    this.#limits = limits
  }

  /** The transport to a container; made at its first invocation. */
  find(container: ContainerRoute): Transport {
    return this.#entryByContainer.get(containerKey(container))?.transport ?? this.#add(container)
  }

  /** Closes what leads to containers that have left the route; what is outstanding there ends first. */
  applyRoute(previous: EndpointRoute | undefined, next: EndpointRoute | undefined): void {
    const kept = new Map(containerRoutesOf(next).map((one) => [containerKey(one), one]))
    for (const key of containerRoutesOf(previous).map(containerKey)) {
      const entry = this.#entryByContainer.get(key)
      const container = kept.get(key)
      if (entry === undefined) continue
      if (container !== undefined && this.#framePathsOf(container) === entry.framePaths) continue
      this.#entryByContainer.delete(key)
      entry.transport.close()
    }
  }

  /** Drops every connection. */
  async destroy(): Promise<void> {
    const entries = [...this.#entryByContainer.values()]
    this.#entryByContainer.clear()
    await Promise.all(entries.map(({ transport }) => transport.destroy()))
  }

  #add(container: ContainerRoute): Transport {
    const framePaths = this.#framePathsOf(container)
    const transport =
      framePaths === ''
        ? createHttpTransport(container.address, this.#limits.slotsPerInstance)
        : new FrameTransport(framePaths.split('\n'), {
            firstWorker: process.pid,
            isPolling: this.#limits.polling === 'on' && HAS_CORE_TO_SPARE,
          })
    this.#entryByContainer.set(containerKey(container), { framePaths, transport })
    return transport
  }

  /** Empty when the container is to be spoken to by HTTP. */
  #framePathsOf({ frames }: ContainerRoute): string {
    if (this.#limits.transport === 'http' || frames?.version !== FRAMES_VERSION) return ''
    return frames.socketPaths.join('\n')
  }
}
