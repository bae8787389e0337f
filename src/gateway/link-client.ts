import { connect } from 'node:net'
import type { Socket } from 'node:net'

import { MODEL_NEWS } from '../domain/multi-model/model-messages.ts'
import type { ModelAsk, ModelNews } from '../domain/multi-model/model-messages.ts'
import type { Log } from '../platform/log.ts'
import type { Clock } from '../ports/clock.ts'
import { LineReader, encodeLinkMessage, parseControlMessage } from '../wire/link.ts'
import type {
  ControlMessage,
  GatewayIdentity,
  GatewayReport,
  InstanceObservation,
} from '../wire/link.ts'

// A snapshot of 10,000 endpoints is some 5 MiB.
const SNAPSHOT_LENGTH_MAX = 256 * 1024 * 1024
const REPORT_INTERVAL_MS = 1_000
const RECONNECT_MS_MIN = 20
const RECONNECT_MS_MAX = 1_000
// Observations are hints; control's own probes find everything out a little later.
const UNSENT_BYTES_MAX = 4 * 1024 * 1024

/** What the client of the link takes from its surroundings. */
export interface LinkClientOptions {
  readonly socketPath: string
  readonly identity: GatewayIdentity
  readonly clock: Clock
  readonly log: Log
  /** Applies a change; it is reported at once that this was done. */
  readonly apply: (message: ControlMessage) => void
  /** Takes over what control says about models of multi-model endpoints. */
  readonly applyNews: (news: ModelNews) => void
  /** The state to report; `routeVersion` is added here. */
  readonly report: () => Omit<GatewayReport, 'routeVersion'>
  /** Called before the first report on each connection. */
  readonly onConnect: () => void
}

/**
 * The gateway's end of the link: connects for ever, applies what control says, reports once a second.
 *
 * `disconnected ─connect→ connected(version 0) ─snapshot→ connected(version n) ─put, remove→ … ─close→ disconnected`
 */
export class LinkClient {
  readonly #options: LinkClientOptions
  #socket: Socket | undefined
  #routeVersion = 0
  #lastConnectedAtMs: number
  #isReportDue = false

  constructor(options: LinkClientOptions) {
    this.#options = options
    this.#lastConnectedAtMs = options.clock.nowMs()
  }

  get isConnected(): boolean {
    return this.#socket !== undefined
  }

  /** How long control has been away; 0 while it is there. */
  awayMs(): number {
    return this.isConnected ? 0 : this.#options.clock.nowMs() - this.#lastConnectedAtMs
  }

  /** Connects and reconnects until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    let delayMs = RECONNECT_MS_MIN
    while (!signal.aborted) {
      const wasConnected = await this.#runConnection(signal)
      delayMs = wasConnected ? RECONNECT_MS_MIN : Math.min(delayMs * 2, RECONNECT_MS_MAX)
      await this.#options.clock.sleep(delayMs, signal).catch(() => undefined)
    }
  }

  /** Reports once a second until the signal aborts. */
  async runReports(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#options.clock.sleep(REPORT_INTERVAL_MS, signal).catch(() => undefined)
      this.reportNow()
    }
  }

  /** Tells control something about an instance, if it is there. */
  observe(observation: InstanceObservation): void {
    const socket = this.#socket
    if (socket === undefined || socket.writableLength > UNSENT_BYTES_MAX) return
    socket.write(encodeLinkMessage({ kind: 'observation', ...observation }))
  }

  /** Asks control about models, if it is there: what matters is asked again until it is answered. */
  ask(ask: ModelAsk): void {
    this.#socket?.write(encodeLinkMessage(ask))
  }

  /** Reports at the end of this turn of the event loop; several calls in one turn make one report. */
  reportSoon(): void {
    if (this.#isReportDue) return
    this.#isReportDue = true
    setImmediate(() => this.reportNow())
  }

  reportNow(): void {
    this.#isReportDue = false
    const socket = this.#socket
    if (socket === undefined || socket.writableLength > UNSENT_BYTES_MAX) return
    const report = { ...this.#options.report(), routeVersion: this.#routeVersion }
    socket.write(encodeLinkMessage({ kind: 'report', ...report }))
  }

  async #runConnection(signal: AbortSignal): Promise<boolean> {
    const socket = connect({ path: this.#options.socketPath })
    const lines = new LineReader(SNAPSHOT_LENGTH_MAX)
    const closed = Promise.withResolvers<void>()
    const stop = (): void => void socket.destroy()
    let wasConnected = false
    signal.addEventListener('abort', stop, { once: true })
    socket.setEncoding('utf8')
    socket.on('connect', () => {
      wasConnected = true
      this.#welcome(socket)
    })
    socket.on('data', (text: string) => this.#read(socket, lines, text))
    socket.on('error', (error) => {
      if (wasConnected) this.#options.log.warn({ err: error }, 'control link broken')
    })
    socket.on('close', () => closed.resolve())
    await closed.promise
    signal.removeEventListener('abort', stop)
    if (wasConnected) this.#farewell()
    return wasConnected
  }

  #welcome(socket: Socket): void {
    const { identity, log, onConnect } = this.#options
    this.#socket = socket
    this.#routeVersion = 0
    onConnect()
    socket.write(encodeLinkMessage({ kind: 'hello', ...identity }))
    log.info({}, 'control connected')
  }

  #farewell(): void {
    this.#socket = undefined
    this.#lastConnectedAtMs = this.#options.clock.nowMs()
    this.#options.log.warn({}, 'control disconnected')
  }

  #read(socket: Socket, lines: LineReader, text: string): void {
    try {
      for (const line of lines.read(text)) {
        const message = parseControlMessage(line)
        if (message === undefined) continue
        if (isNews(message)) this.#options.applyNews(message)
        else this.#apply(message)
      }
    } catch (error) {
      socket.destroy(error instanceof Error ? error : new Error(String(error)))
    }
  }

  #apply(message: ControlMessage): void {
    this.#options.apply(message)
    this.#routeVersion = message.version
    this.reportSoon()
  }
}

function isNews(message: ControlMessage | ModelNews): message is ModelNews {
  return MODEL_NEWS.has(message.kind)
}
