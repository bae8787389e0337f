import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const SCRIPT = fileURLToPath(new URL('wrk.lua', import.meta.url))
const THREADS_MAX = 2

/** What wrk measured. */
export interface WrkResult {
  readonly perSecond: number
  readonly p50Us: number
  readonly p99Us: number
}

/** The load, and against what. wrk speaks TCP only. */
export interface WrkSpec {
  readonly url: string
  readonly requestsPath: string
  readonly connectionCount: number
  readonly seconds: number
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
  const options = `-t ${threads} -c ${spec.connectionCount} -d ${spec.seconds}s -s`.split(' ')
  const { stdout } = await promisify(execFile)('wrk', [
    ...options,
    SCRIPT,
    spec.url,
    '--',
    spec.requestsPath,
  ])
  const line = /^RESULT (.*)$/m.exec(stdout)?.[1]
  if (line === undefined) throw new Error(`wrk printed no result:\n${stdout}`)
  const result = JSON.parse(line) as WrkResult & { failedCount: number }
  if (result.failedCount > 0) throw new Error(`${result.failedCount} requests of wrk failed.`)
  return result
}
