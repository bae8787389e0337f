import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

import { S3Client } from '@aws-sdk/client-s3'
import { SageMakerClient } from '@aws-sdk/client-sagemaker'
import { SageMakerRuntimeClient } from '@aws-sdk/client-sagemaker-runtime'

import { signalProcess } from '../../src/adapters/process/process-table.ts'
import { until } from './until.ts'

const ROOT = join(import.meta.dirname, '../..')

/** A real Berth in processes of its own, on a data directory and a port of its own. */
export interface RunningBerth {
  readonly url: string
  readonly port: number
  readonly dataDir: string
  readonly control: ChildProcess
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
  readonly sagemaker: SageMakerClient
  readonly runtime: SageMakerRuntimeClient
  readonly s3: S3Client
  /** Orderly end by SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>
  /** SIGKILL to control and waits until it is gone; everything else lives on. */
  killControl(): Promise<void>
}

/** Where and how a Berth is started. */
export interface StartOptions {
  /** Reused when given; otherwise a temporary folder. */
  readonly dataDir?: string
  readonly port?: number
  readonly environment?: Readonly<Record<string, string>>
}

/** Starts `berth up` and waits for `ready`. */
export async function startBerth(options: StartOptions = {}): Promise<RunningBerth> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'berth-test-'))
  const flags = ['up', '--json', '--port', String(options.port ?? 0), '--data-dir', dataDir]
  const control = spawn(process.execPath, [join(ROOT, 'src/cli/main.ts'), ...flags], {
    env: { ...cleanEnvironment(), ...options.environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const url = await readyUrl(control)
  const file: unknown = JSON.parse(readFileSync(join(dataDir, 'credentials'), 'utf8'))
  const credentials = file as RunningBerth['credentials']
  const client = {
    endpoint: url,
    region: 'us-east-1',
    credentials: {
      accessKeyId: credentials.accessKeyId,
      secretAccessKey: credentials.secretAccessKey,
    },
  }
  return {
    url,
    port: Number(new URL(url).port),
    dataDir,
    control,
    credentials,
    sagemaker: new SageMakerClient(client),
    runtime: new SageMakerRuntimeClient({ ...client, maxAttempts: 1 }),
    s3: new S3Client({ ...client, forcePathStyle: true }),
    stop: () => stopBy(control, 'SIGTERM'),
    killControl: async () => {
      await stopBy(control, 'SIGKILL')
    },
  }
}

const ENDED_MS = 60_000

/**
 * Ends whatever of an installation still runs, removes its folder, and fails when something had been left behind by an
 * orderly stop.
 */
export async function disposeBerth(berth: RunningBerth): Promise<void> {
  berth.sagemaker.destroy()
  berth.runtime.destroy()
  berth.s3.destroy()
  const wasRunning = berth.control.exitCode === null && berth.control.signalCode === null
  if (wasRunning) await berth.stop()
  // One that is ending is not left behind: its parent may be gone a moment before it.
  if (wasRunning)
    await until('all to end', () => installationPids(berth.dataDir).length === 0, ENDED_MS).catch(
      () => undefined,
    )
  const left = installationPids(berth.dataDir)
  const named = left.map((pid) => `${pid} ${readCommandLine(pid)}`)
  for (const pid of left) signalProcess(pid, 'SIGKILL')
  // What was killed a moment ago may still finish a write.
  rmSync(berth.dataDir, { recursive: true, force: true, maxRetries: 10 })
  if (wasRunning) assert.deepEqual(named, [], 'processes left behind by an orderly stop')
}

/**
 * Processes of this machine that name the data directory on their command line or in their environment.
 *
 * @param program what else their command line must name, such as `modelserver/main`.
 */
export function installationPids(dataDir: string, program = ''): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => isOf(pid, dataDir))
    .filter((pid) => mentions(`/proc/${pid}/cmdline`, program))
    .map(Number)
}

function isOf(pid: string, dataDir: string): boolean {
  const marker = createHash('sha256').update(dataDir).digest('hex').slice(0, 16)
  return (
    mentions(`/proc/${pid}/cmdline`, dataDir) ||
    mentions(`/proc/${pid}/environ`, dataDir) ||
    mentions(`/proc/${pid}/environ`, `BERTH_INSTALLATION=${marker}`)
  )
}

function mentions(file: string, text: string): boolean {
  try {
    return readFileSync(file, 'latin1').includes(text)
  } catch {
    return false
  }
}

async function readyUrl(control: ChildProcess): Promise<string> {
  assert.ok(control.stdout)
  const lines = createInterface({ input: control.stdout })
  const ended = once(control, 'exit').then(([code, signal]) => {
    throw new Error(`berth up ended before it was ready: code ${code}, signal ${signal}`)
  })
  const ready = (async () => {
    for await (const line of lines) {
      const event = JSON.parse(line) as { event?: string; url?: string }
      if (event.event === 'ready' && event.url !== undefined) return event.url
    }
    return await ended
  })()
  const url = await Promise.race([ready, ended])
  ended.catch(() => {})
  control.stdout.resume()
  return url
}

async function stopBy(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const exit = once(child, 'exit')
    child.kill(signal)
    await exit
  }
  return child.exitCode
}

// A developer's own AWS settings must not reach the Berth under test.
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(AWS_|BERTH_)/.test(name)),
  )
}

function readCommandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return '(gone meanwhile)'
  }
}
