import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

const LAST_LINES_MAX = 20
const STOP_DEADLINE_MS = 20_000

/** A `berth up` that is ready. */
export interface RunningBerth {
  readonly url: string
  readonly pid: number
  /** From spawning it to its `ready` line, as this process saw it. */
  readonly readyMs: number
  /** Resolves when it is gone, for whatever reason, with the reason in words. */
  readonly exited: Promise<string>
  /** Asks it to drain and stop, and waits until it is gone; after a deadline kills it. */
  stop(): Promise<void>
}

/** What `berth env` prints. */
export interface BerthEnvironment {
  readonly AWS_ENDPOINT_URL: string
  readonly AWS_ACCESS_KEY_ID: string
  readonly AWS_SECRET_ACCESS_KEY: string
  readonly AWS_REGION: string
}

/** Where Berth's own program is and which folder and port it shall use. */
export interface StartOptions {
  readonly packageRoot: string
  readonly dataDir: string
  /** 0 lets the system choose. */
  readonly port: number
  readonly signal?: AbortSignal
}

/**
 * Starts `berth up` and waits until it says it is ready.
 *
 * It gets a process group of its own: Ctrl-C in the terminal then reaches only this process, which stops Berth in order.
 */
export async function startBerth(options: StartOptions): Promise<RunningBerth> {
  const { packageRoot, dataDir, port, signal } = options
  signal?.throwIfAborted()
  const startedAtMs = performance.now()
  const child = spawn(
    process.execPath,
    [berthProgram(packageRoot), 'up', '--json', '--port', String(port), '--data-dir', dataDir],
    { stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  )
  const killAtExit = () => child.kill('SIGTERM')
  process.once('exit', killAtExit)
  const lastLines = keepLastLines(child)
  const exited = describeExit(child).finally(() => process.off('exit', killAtExit))
  const stop = () => stopChild(child, exited)

  const abort = () => void child.kill('SIGTERM')
  signal?.addEventListener('abort', abort)
  const url = await Promise.race([readReadyUrl(child), exited.then(() => undefined)])
  signal?.removeEventListener('abort', abort)
  signal?.throwIfAborted()
  if (url === undefined || child.pid === undefined) {
    await stop()
    throw new Error(['Berth did not start.', await exited, ...lastLines].join('\n  '))
  }
  return { url, pid: child.pid, readyMs: performance.now() - startedAtMs, exited, stop }
}

/** Credentials and address as a person gets them from `berth env`. */
export async function readEnvironment(
  packageRoot: string,
  dataDir: string,
): Promise<BerthEnvironment> {
  const args = [berthProgram(packageRoot), 'env', '--data-dir', dataDir, '--json']
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return JSON.parse(stdout) as BerthEnvironment
}

export function berthProgram(packageRoot: string): string {
  return join(packageRoot, 'bin', 'berth.js')
}

function keepLastLines(child: ChildProcess): string[] {
  const lines: string[] = []
  if (child.stderr === null) return lines
  createInterface({ input: child.stderr }).on('line', (line) => {
    lines.push(line)
    if (lines.length > LAST_LINES_MAX) lines.shift()
  })
  return lines
}

/** Reads standard output for as long as the child lives, so that it never blocks on a full pipe. */
function readReadyUrl(child: ChildProcess): Promise<string | undefined> {
  return new Promise((settle) => {
    if (child.stdout === null) return settle(undefined)
    const lines = createInterface({ input: child.stdout })
    lines.on('line', (line) => settle(parseReadyUrl(line)))
    lines.on('close', () => settle(undefined))
  })
}

function parseReadyUrl(line: string): string | undefined {
  if (!line.startsWith('{')) return undefined
  const event = JSON.parse(line) as { event?: string; url?: string }
  return event.event === 'ready' ? event.url : undefined
}

async function describeExit(child: ChildProcess): Promise<string> {
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
    return signal === null ? `It exited with code ${code}.` : `It was ended by ${signal}.`
  } catch (error) {
    return `It could not be run: ${error instanceof Error ? error.message : String(error)}`
  }
}

async function stopChild(child: ChildProcess, exited: Promise<string>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  child.kill('SIGTERM')
  const deadline = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS)
  await exited
  clearTimeout(deadline)
}
