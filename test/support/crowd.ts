import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import type { Socket } from 'node:net'

import { until } from './until.ts'

// As many as the kernel lets wait to be accepted.
const BATCH = 500

/** Many client connections that are open and do nothing. */
export class Crowd {
  readonly #sockets = new Set<Socket>()
  readonly #port: number
  #openCount = 0

  constructor(port: number) {
    this.#port = port
  }

  get openCount(): number {
    return this.#openCount
  }

  /** Opens so many connections more; each sends these bytes, and has an answer when there are any. */
  async grow(count: number, bytes: string): Promise<void> {
    for (let grown = 0; grown < count; grown += BATCH) {
      const batch = Array.from({ length: Math.min(BATCH, count - grown) }, () => this.#open(bytes))
      await Promise.all(batch)
    }
  }

  /** Writes to every open connection. */
  send(bytes: string): void {
    for (const socket of this.#sockets) socket.write(bytes)
  }

  /** Waits until the server has closed every connection. */
  async untilDismissed(meanwhile: () => void): Promise<void> {
    await until('every connection to be closed', () => {
      meanwhile()
      return this.#openCount === 0
    })
  }

  /** Resets what is open: no port is kept waiting for late packets. */
  destroy(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
    this.#sockets.clear()
  }

  #open(bytes: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const socket = connect({ host: '127.0.0.1', port: this.#port, noDelay: true })
    this.#sockets.add(socket)
    socket.on('error', reject)
    socket.once('connect', () => {
      this.#openCount += 1
      if (bytes === '') resolve()
      else socket.write(bytes)
    })
    socket.on('data', () => resolve())
    socket.once('close', () => {
      this.#openCount -= 1
      this.#sockets.delete(socket)
      resolve()
    })
    return promise
  }
}

/** Files that a process may have open. */
export function openFilesMax(pid: number | 'self'): number {
  const limits = readFileSync(`/proc/${pid}/limits`, 'utf8')
  return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? 1024)
}
