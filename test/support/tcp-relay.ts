import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'

/** A port of its own before a Unix socket, which can be made deaf, as a network can. */
export class TcpRelay implements AsyncDisposable {
  readonly #server: Server
  readonly #pairs = new Set<readonly [Socket, Socket]>()
  #isDeaf = false

  private constructor(socketPath: string) {
    this.#server = createServer((client) => this.#join(client, connect(socketPath)))
  }

  static async start(socketPath: string): Promise<TcpRelay> {
    const relay = new TcpRelay(socketPath)
    relay.#server.listen(0, '127.0.0.1')
    await once(relay.#server, 'listening')
    return relay
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Connections are taken, and nothing that is said on them arrives. */
  beDeaf(): void {
    this.#isDeaf = true
    for (const [client] of this.#pairs) client.unpipe().pause()
  }

  /** Hears again; what was said meanwhile is lost with its connections. */
  hear(): void {
    this.#isDeaf = false
    this.#cut()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#cut()
    await closed
  }

  #join(client: Socket, server: Socket): void {
    const pair = [client, server] as const
    this.#pairs.add(pair)
    for (const socket of pair) {
      socket.on('error', () => undefined)
      socket.once('close', () => {
        this.#pairs.delete(pair)
        for (const each of pair) each.destroy()
      })
    }
    if (this.#isDeaf) return
    client.pipe(server).pipe(client)
  }

  #cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy()
  }
}
