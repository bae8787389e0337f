import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { addressOfUrl } from '../harness/address.ts'
import { ask, bodyOf } from '../harness/ask.ts'
import { openRequestFile } from '../harness/load.ts'
import { readMachineCpuMs } from '../harness/process-tree.ts'
import { type PinnedWrkSpec, runPinnedWrk } from '../harness/wrk.ts'
import type { BenchModel, RunningServer } from './contestant.ts'

/** Ray takes the longest. */
const START_MAX_MS = 120_000
const ANSWER_MAX_MS = 5_000
const POLL_MS = 50
/** Peers compute in other precisions of decimal text, not in other precisions of floats. */
const TOLERANCE = 1e-3
/** Whatever starting left to be done is done. */
const SETTLE_MS = 1_000
/** Compilers of hot code (V8's, Java's) take two seconds of the other core at one connection. */
export const WARM_SECONDS = 3

/** One measurement of one server at one number of connections. */
export interface Sample {
  /** Answers with a good status. */
  readonly perSecond: number
  readonly p50Us: number
  readonly p99Us: number
  readonly failedCount: number
  /** Share of the machine that neither the server nor wrk used. */
  readonly foreignShare: number
}

export interface LoadOptions {
  readonly connectionCount: number
  readonly seconds: number
  readonly wrkCpu: number
}

/** Waits until the server gives right answers to the first requests. @throws Error with what it said last. */
export async function awaitRightAnswers(server: RunningServer, model: BenchModel): Promise<void> {
  const requests = await server.prepareRequests()
  const untilMs = performance.now() + START_MAX_MS
  let last = 'nothing'
  while (performance.now() < untilMs) {
    const wrong = await findWrongAnswer(server.url, requests, model)
    if (wrong === undefined) return await sleep(SETTLE_MS)
    last = wrong
    if (server.tree.readLines().length === 0) break
    await sleep(POLL_MS)
  }
  throw new Error(`It did not answer right: ${last}\n${await server.describeFailure()}`)
}

export async function measureLoad(server: RunningServer, options: LoadOptions): Promise<Sample> {
  using file = openRequestFile(await server.prepareRequests())
  const spec: PinnedWrkSpec = {
    url: server.url,
    requestsPath: file.path,
    connectionCount: options.connectionCount,
    seconds: options.seconds,
    cpu: options.wrkCpu,
  }
  await runPinnedWrk({ ...spec, seconds: WARM_SECONDS })
  const usage = new ForeignUsage(() => server.tree.readCpuMs())
  const result = await runPinnedWrk(spec)
  const foreignShare = usage.readShare()
  const goodShare = 1 - result.failedCount / Math.max(1, result.requestCount)
  return {
    perSecond: result.perSecond * goodShare,
    p50Us: result.p50Us,
    p99Us: result.p99Us,
    failedCount: result.failedCount,
    foreignShare,
  }
}

/** @returns the first answer that is wrong, in words. */
async function findWrongAnswer(
  url: string,
  requests: readonly Buffer[],
  model: BenchModel,
): Promise<string | undefined> {
  for (const [k, expected] of model.expected.entries()) {
    const request = requests[k]
    if (request === undefined) throw new Error(`There is no request ${k}.`)
    try {
      const response = await ask(addressOfUrl(url), request, ANSWER_MAX_MS)
      const body = bodyOf(response)
      if (response.status !== 200) return `${response.status} ${body.slice(0, 300)}`
      const floats = findNumbers(JSON.parse(body), expected.length) ?? []
      const isRight = expected.every((value, i) => isNear(value, floats[i]))
      if (!isRight) return `${floats.join(', ') || body.slice(0, 300)} for ${expected.join(', ')}`
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }
  return undefined
}

/** Finds the prediction wherever a server's protocol puts it. */
function findNumbers(value: unknown, count: number): readonly number[] | undefined {
  if (value === null || typeof value !== 'object') return undefined
  const items: readonly unknown[] = Object.values(value)
  if (items.length === count && items.every((item) => typeof item === 'number')) return items
  for (const item of items) {
    const found = findNumbers(item, count)
    if (found !== undefined) return found
  }
  return undefined
}

function isNear(expected: number, actual: number | undefined): boolean {
  return (
    actual !== undefined &&
    Math.abs(expected - actual) <= TOLERANCE * Math.max(1, Math.abs(expected))
  )
}

/** What others take of the machine while something of ours is measured, from its making on. */
export class ForeignUsage {
  readonly #readOwnMs: () => number
  readonly #startMs = performance.now()
  readonly #foreignStartMs: number

  /** @param readOwnMs processor time so far of what is measured, beyond finished children of this process. */
  constructor(readOwnMs: () => number) {
    this.#readOwnMs = readOwnMs
    this.#foreignStartMs = this.#readForeignMs()
  }

  readShare(): number {
    const wallMs = (performance.now() - this.#startMs) * availableParallelism()
    return Math.max(0, (this.#readForeignMs() - this.#foreignStartMs) / wallMs)
  }

  #readForeignMs(): number {
    const { busyMs, childrenMs } = readMachineCpuMs()
    return busyMs - childrenMs - this.#readOwnMs()
  }
}
