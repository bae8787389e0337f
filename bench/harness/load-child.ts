/**
 * The load generator: a process of its own, so that it shares no thread with anything measured.
 *
 * A closed loop: every connection sends the next prepared request as soon as its last one was answered. Prints one JSON line.
 */
import { connect, type Socket } from 'node:net'
import { connectOptions } from './address.ts'
import type { LoadResult, LoadSpec } from './load.ts'
import { readRequests } from './requests.ts'
import { ResponseReader } from './response-reader.ts'
import { percentile } from './stats.ts'

const FAILURE_TEXT_MAX = 400

class LoadGenerator {
  readonly #spec: LoadSpec
  readonly #requests: readonly Buffer[]
  readonly #latenciesUs: number[] = []
  #sentCount = 0
  #failedCount = 0
  #firstFailure: string | undefined
  #firstResponse: Buffer | undefined
  #measureFromMs = 0
  #untilMs = Infinity

  constructor(spec: LoadSpec) {
    this.#spec = spec
    this.#requests = readRequests(spec.requestsPath)
  }

  async run(): Promise<LoadResult> {
    const startMs = performance.now()
    const { stopAfter } = this.#spec
    if (stopAfter.kind === 'duration') {
      this.#measureFromMs = startMs + stopAfter.warmMs
      this.#untilMs = this.#measureFromMs + stopAfter.measuredMs
    }
    await Promise.all(Array.from({ length: this.#spec.connectionCount }, () => this.#runOne()))
    const measuredMs = performance.now() - Math.max(startMs, this.#measureFromMs)
    const latencies = this.#latenciesUs
    return {
      requestCount: latencies.length,
      failedCount: this.#failedCount,
      firstFailure: this.#firstFailure,
      firstBody: this.#firstResponse
        ?.toString('latin1')
        .split('\r\n\r\n')
        .slice(1)
        .join('\r\n\r\n'),
      perSecond: (latencies.length / measuredMs) * 1000,
      p50Us: percentile(latencies, 0.5),
      p99Us: percentile(latencies, 0.99),
      maxUs: percentile(latencies, 1),
    }
  }

  /** One connection, until the time or the requests are over. */
  #runOne(): Promise<void> {
    return new Promise((settle, fail) => {
      const socket = connect(connectOptions(this.#spec.address))
      const reader = new ResponseReader()
      let sentAtMs = 0
      const next = () => {
        const request = this.#takeRequest()
        if (request === undefined) return finish(socket, settle)
        sentAtMs = performance.now()
        socket.write(request)
      }
      socket.once('connect', next)
      socket.on('data', (bytes: Buffer) => {
        const response = reader.read(bytes)
        if (response === undefined) return
        this.#record(response.status, response.bytes, sentAtMs)
        next()
      })
      socket.once('error', fail)
      socket.once('end', () => fail(new Error('The server closed a connection under load.')))
    })
  }

  #takeRequest(): Buffer | undefined {
    const { stopAfter } = this.#spec
    if (stopAfter.kind === 'all-once' && this.#sentCount >= this.#requests.length) return undefined
    if (performance.now() >= this.#untilMs) return undefined
    return this.#requests[this.#sentCount++ % this.#requests.length]
  }

  #record(status: number, response: Buffer, sentAtMs: number): void {
    const nowMs = performance.now()
    this.#firstResponse ??= Buffer.from(response)
    if (status !== 200) {
      this.#failedCount += 1
      this.#firstFailure ??= response.toString('latin1').slice(0, FAILURE_TEXT_MAX)
    } else if (sentAtMs >= this.#measureFromMs) {
      this.#latenciesUs.push((nowMs - sentAtMs) * 1000)
    }
  }
}

function finish(socket: Socket, settle: () => void): void {
  socket.removeAllListeners('end')
  socket.destroy()
  settle()
}

const spec = JSON.parse(process.argv[2] ?? '') as LoadSpec
process.stdout.write(`${JSON.stringify(await new LoadGenerator(spec).run())}\n`)
