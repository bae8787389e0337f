import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const CHILD = fileURLToPath(new URL('frames-load-child.ts', import.meta.url))

/** What `frames-load-child.ts` is told. */
export interface FramesLoadSpec {
  /** A worker's own socket. */
  readonly socketPath: string
  readonly warmMs: number
  readonly measuredMs: number
}

export interface FramesLoadResult {
  readonly p50Us: number
  readonly p99Us: number
  /** Body of the first reply. */
  readonly firstBody: string
}

/** Calls a model server's worker by frames, one invocation after the other: what a gateway adds is beyond this. */
export async function runFramesLoad(spec: FramesLoadSpec): Promise<FramesLoadResult> {
  const { stdout } = await promisify(execFile)(process.execPath, [CHILD, JSON.stringify(spec)])
  return JSON.parse(stdout) as FramesLoadResult
}
