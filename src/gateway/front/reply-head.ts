import { STATUS_CODES } from 'node:http'

import type { Clock } from '../../ports/clock.ts'
import type { ReplyHeaders } from '../client-sink.ts'

// What node's HTTP server refuses in a value, too: a line end in there would begin a reply of its own.
const FORBIDDEN = /[^\t\x20-\x7e\x80-\xff]/

/** Encodes heads of replies as node's HTTP server does, byte for byte. */
export class ReplyHeadEncoder {
  readonly #clock: Clock
  readonly #keepAlive: string
  #dateSecond = Number.NaN
  #date = ''

  /** @param idleTimeoutMs how long a client may leave the connection unused. */
  constructor(clock: Clock, idleTimeoutMs: number) {
    this.#clock = clock
    const seconds = Math.floor(idleTimeoutMs / 1000)
    this.#keepAlive = `Connection: keep-alive\r\nKeep-Alive: timeout=${seconds}\r\n`
  }

  /**
   * @param contentLength undefined for a chunked body.
   * @throws Error a value that cannot be sent.
   */
  encode(
    status: number,
    headers: ReplyHeaders,
    body: { readonly contentLength: number | undefined; readonly keepsAlive: boolean },
  ): string {
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n`
    for (const name in headers) {
      const value = headers[name] ?? ''
      if (FORBIDDEN.test(value)) throw new Error(`Header ${name} has a character it must not have.`)
      head += `${name}: ${value}\r\n`
    }
    const { contentLength, keepsAlive } = body
    if (contentLength !== undefined) head += `Content-Length: ${contentLength}\r\n`
    head += this.#dateLine()
    head += keepsAlive ? this.#keepAlive : 'Connection: close\r\n'
    return contentLength === undefined ? `${head}Transfer-Encoding: chunked\r\n\r\n` : `${head}\r\n`
  }

  // Formatting a date costs about a microsecond.
  #dateLine(): string {
    const second = Math.floor(this.#clock.nowMs() / 1000)
    if (second !== this.#dateSecond) {
      this.#dateSecond = second
      this.#date = `Date: ${new Date(second * 1000).toUTCString()}\r\n`
    }
    return this.#date
  }
}
