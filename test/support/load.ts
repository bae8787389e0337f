import { setTimeout as pause } from 'node:timers/promises'

import {
  InvokeEndpointCommand,
  SageMakerRuntimeClient,
  SageMakerRuntimeServiceException,
} from '@aws-sdk/client-sagemaker-runtime'

import type { RunningBerth } from './berth.ts'
import { until } from './until.ts'

/** An invocation that was not answered as it should be. */
export interface FailedInvocation {
  /** On `performance.now()`'s clock. */
  readonly sentAtMs: number
  /** Error name of the SDK, such as `ModelError` or `ECONNREFUSED`. */
  readonly name: string
  readonly message: string
}

/** One answer that came, and when. */
interface Answer {
  readonly sentAtMs: number
  readonly answeredAtMs: number
}

// A refused connection fails in no time: without a pause the load would take the machine from what it waits for.
const PAUSE_AFTER_FAILURE_MS = 20

/**
 * Invocations of one echoing endpoint, a few at a time, for as long as it runs. Nothing is retried, and each answer is
 * compared with what was sent.
 */
export class Load {
  readonly modelErrors: FailedInvocation[] = []
  readonly failures: FailedInvocation[] = []
  readonly wrongAnswers: string[] = []
  readonly #answers: Answer[] = []
  readonly #endpointName: string
  readonly #client: SageMakerRuntimeClient
  readonly #loops: Promise<void>[]
  #sentCount = 0
  #isStopping = false

  constructor(berth: RunningBerth, endpointName: string, concurrency = 4) {
    this.#endpointName = endpointName
    this.#client = new SageMakerRuntimeClient({
      endpoint: berth.url,
      region: 'us-east-1',
      credentials: berth.credentials,
      maxAttempts: 1,
    })
    this.#loops = Array.from({ length: concurrency }, () => this.#run())
  }

  get okCount(): number {
    return this.#answers.length
  }

  /** Waits for so many more right answers to invocations that have not been sent yet. */
  async untilMoreAnswers(count = 20): Promise<void> {
    const fromMs = performance.now()
    await until(
      `${count} answers more from ${this.#endpointName}, failures: ${JSON.stringify(this.failures.slice(-3))}`,
      () => this.#answers.filter(({ sentAtMs }) => sentAtMs >= fromMs).length >= count,
      120_000,
    )
  }

  /** From a moment on `performance.now()`'s clock to the end of the first invocation sent and answered after it. */
  msToFirstAnswerAfter(momentMs: number): number | undefined {
    const first = this.#answers.find(({ sentAtMs }) => sentAtMs >= momentMs)
    return first === undefined ? undefined : first.answeredAtMs - momentMs
  }

  /** Finishes what is outstanding. */
  async stop(): Promise<void> {
    this.#isStopping = true
    await Promise.all(this.#loops)
    this.#client.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      this.#sentCount += 1
      const isAnswered = await this.#invoke(`{"n":${this.#sentCount},"of":"${Math.random()}"}`)
      if (!isAnswered) await pause(PAUSE_AFTER_FAILURE_MS)
    }
  }

  async #invoke(body: string): Promise<boolean> {
    const sentAtMs = performance.now()
    try {
      const { Body } = await this.#client.send(
        new InvokeEndpointCommand({ EndpointName: this.#endpointName, Body: body }),
      )
      const text = Body.transformToString()
      if (text === body) this.#answers.push({ sentAtMs, answeredAtMs: performance.now() })
      else this.wrongAnswers.push(`sent ${body}, got ${text}`)
      return true
    } catch (error) {
      const failed = { sentAtMs, ...describeFailure(error) }
      if (failed.name === 'ModelError') this.modelErrors.push(failed)
      else this.failures.push(failed)
      return false
    }
  }
}

function describeFailure(error: unknown): Pick<FailedInvocation, 'name' | 'message'> {
  if (!(error instanceof Error)) return { name: 'unknown', message: String(error) }
  const { message } = error
  if (error instanceof SageMakerRuntimeServiceException) return { name: error.name, message }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name
  return { name: code, message }
}
