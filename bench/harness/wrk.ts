import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const SCRIPT = fileURLToPath(new URL('wrk.lua', import.meta.url))
const THREADS_MAX = 2

/** What wrk measured. */
export interface WrkResult {
  /** Every answer, failures included. */
  readonly perSecond: number
  readonly p50Us: number
  readonly p99Us: number
  /** Answers with another status than 2xx or 3xx, and connections that broke. */
  readonly failedCount: number
  readonly requestCount: number
}

/** The load, and against what. wrk speaks TCP only. */
export interface WrkSpec {
  readonly url: string
  readonly requestsPath: string
  readonly connectionCount: number
  readonly seconds: number
}

/** One thread that stays on one core, so that the generator takes from every server what it takes from the others. */
export interface PinnedWrkSpec extends WrkSpec {
  readonly cpu: number
}

export async function hasWrk(): Promise<boolean> {
  try {
    await promisify(execFile)('wrk', ['-v'])
    return true
  } catch (error) {
    // `wrk -v` prints its version and exits with 1.
    return error instanceof Error && 'code' in error && error.code !== 'ENOENT'
  }
}

/** @throws Error if a request failed. */
export async function runWrk(spec: WrkSpec): Promise<WrkResult> {
  const threads = Math.min(THREADS_MAX, spec.connectionCount)
  const result = await readResult('wrk', wrkArguments(spec, threads))
  if (result.failedCount > 0) throw new Error(`${result.failedCount} requests of wrk failed.`)
  return result
}

/** Failures are counted, not thrown: what a peer does under load is part of its result. */
export async function runPinnedWrk(spec: PinnedWrkSpec): Promise<WrkResult> {
  return await readResult('taskset', ['-c', String(spec.cpu), 'wrk', ...wrkArguments(spec, 1)])
}

function wrkArguments(spec: WrkSpec, threads: number): string[] {
  const load = `-t ${threads} -c ${spec.connectionCount} -d ${spec.seconds}s --timeout 10s`
  return [...load.split(' '), '-s', SCRIPT, spec.url, '--', spec.requestsPath]
}

async function readResult(command: string, args: readonly string[]): Promise<WrkResult> {
  const { stdout } = await promisify(execFile)(command, args)
  const line = /^RESULT (.*)$/m.exec(stdout)?.[1]
  if (line === undefined) throw new Error(`wrk printed no result:\n${stdout}`)
  return JSON.parse(line) as WrkResult
}
