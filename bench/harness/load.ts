import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Address } from './address.ts'
import { writeRequests } from './requests.ts'

const CHILD = fileURLToPath(new URL('load-child.ts', import.meta.url))
const GRPC_CHILD = fileURLToPath(new URL('grpc-load-child.ts', import.meta.url))

/** When the load ends. */
export type StopAfter =
  | { readonly kind: 'duration'; readonly warmMs: number; readonly measuredMs: number }
  /** Every prepared request exactly once. */
  | { readonly kind: 'all-once' }

/** What `load-child.ts` is told. */
export interface LoadSpec {
  readonly address: Address
  readonly requestsPath: string
  readonly connectionCount: number
  readonly stopAfter: StopAfter
  /** A tensor's way through several models; then the prepared requests are tensors. Counted and timed as one. */
  readonly steps?: readonly ChainStep[]
}

/** One call of a chain: its answer ends with the tensor of the next. */
export interface ChainStep {
  /** What is sent in front of the tensor: the head, and the JSON of a binary request. */
  readonly head: string
  readonly tensorBytes: number
}

/** What it measured. Latencies are of answers with status 200, in microseconds. */
export interface LoadResult {
  readonly requestCount: number
  readonly failedCount: number
  readonly firstFailure: string | undefined
  /** Body of the first answer: both ways of asking must give the same. */
  readonly firstBody: string | undefined
  readonly perSecond: number
  readonly p50Us: number
  readonly p99Us: number
  readonly maxUs: number
  /** Share of one core that the generator took, from its start. Near 1 it is the generator that is measured. */
  readonly cpuShare: number
}

/** Prepared requests in a file, for a generator in another process. */
export interface RequestFile extends Disposable {
  readonly path: string
}

export function openRequestFile(requests: readonly Buffer[]): RequestFile {
  const folder = mkdtempSync(join(tmpdir(), 'berth-bench-requests-'))
  const path = join(folder, 'requests.bin')
  writeRequests(path, requests)
  return { path, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) }
}

/**
 * Puts load on a server and measures from outside.
 *
 * @throws Error if any answer had another status than 200: a number that counts errors is no number.
 */
export function runLoad(spec: LoadSpec): Promise<LoadResult> {
  return runChild(CHILD, spec)
}

/** What `grpc-load-child.ts` is told: prepared requests are messages, connections are streams of one connection. */
export interface GrpcLoadSpec extends LoadSpec {
  /** `/package.Service/Method` */
  readonly method: string
}

/** As {@link runLoad}, over gRPC. @throws Error a call failed. */
export function runGrpcLoad(spec: GrpcLoadSpec): Promise<LoadResult> {
  return runChild(GRPC_CHILD, spec)
}

async function runChild(program: string, spec: LoadSpec): Promise<LoadResult> {
  const { stdout } = await promisify(execFile)(process.execPath, [program, JSON.stringify(spec)])
  const result = JSON.parse(stdout) as LoadResult
  if (result.failedCount > 0) {
    throw new Error(
      `${result.failedCount} requests failed, the first with:\n${result.firstFailure}`,
    )
  }
  return result
}
