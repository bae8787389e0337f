import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { until } from './until.ts'

const ROOT = join(import.meta.dirname, '../..')
const MODELS = join(ROOT, 'test/fixtures/models')

/** Files of a model repository by path: `fixture.onnx` as it is, text, or bytes. */
export type RepositoryFiles = Readonly<
  Record<
    string,
    | { readonly fixture: string }
    | { readonly text: string | Buffer }
    | { readonly bytes: Uint8Array }
  >
>

/** A model repository in a temporary folder. */
export class TestRepository implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'berth-triton-'))

  constructor(files: RepositoryFiles) {
    this.write(files)
  }

  write(files: RepositoryFiles): void {
    for (const [name, file] of Object.entries(files)) {
      const path = join(this.path, name)
      mkdirSync(dirname(path), { recursive: true })
      if ('text' in file) writeFileSync(path, file.text)
      else if ('bytes' in file) writeFileSync(path, file.bytes)
      else copyFileSync(join(MODELS, file.fixture), path)
    }
  }

  remove(name: string): void {
    rmSync(join(this.path, name), { recursive: true, force: true })
  }

  [Symbol.dispose](): void {
    // What was killed a moment ago may still finish a write.
    rmSync(this.path, { recursive: true, force: true, maxRetries: 10 })
  }
}

/** A model server in a process of its own, on free ports. */
export interface RunningTriton {
  readonly url: string
  readonly httpPort: number
  readonly grpcPort: number
  readonly metricsUrl: string
  readonly process: ChildProcess
  /** Sends a request; a body that is no text or bytes goes as JSON. */
  send(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer>
  /** Orderly end by SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>
}

/** An answer over HTTP. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Undefined when the body is no JSON. */
  readonly json: unknown
}

/** Starts `berth model-server` and waits until it has loaded what it is to serve. */
export async function startTriton(
  repository: string,
  flags: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): Promise<RunningTriton> {
  const child = spawnTriton(['--model-repository', repository, ...flags], environment)
  const ports = new Map<string, number>()
  if (child.stderr === null) throw new Error('The server has no stderr.')
  let isStarted = false
  if (child.stdout === null) throw new Error('The server has no stdout.')
  createInterface({ input: child.stdout }).on('line', (line) => {
    isStarted ||= line.includes('"model server ready"')
  })
  createInterface({ input: child.stderr }).on('line', (line) => {
    const match = /^Started (\S+).* at \S+:(\d+)$/.exec(line)
    if (match !== null) ports.set(match[1] ?? '', Number(match[2]))
    else process.stderr.write(`${line}\n`)
  })
  const httpPort = await until('the HTTP port', () => {
    if (child.exitCode !== null) throw new Error(`The server ended with ${child.exitCode}.`)
    return ports.get('HTTPService')
  })
  const url = `http://127.0.0.1:${httpPort}`
  await until('metrics', () => ports.get('Metrics'))
  const server: RunningTriton = {
    url,
    httpPort,
    grpcPort: ports.get('GRPCInferenceService') ?? 0,
    metricsUrl: `http://127.0.0.1:${ports.get('Metrics') ?? 0}/metrics`,
    process: child,
    send: (method, path, body, headers) => send({ method, url: `${url}${path}`, body, headers }),
    stop: () => stop(child),
  }
  await until('the end of its start', () => {
    if (child.exitCode !== null) throw new Error(`The server ended with ${child.exitCode}.`)
    return isStarted
  })
  return server
}

/** Starts `berth model-server` with these flags and free ports, and waits for nothing. */
export function spawnTriton(
  flags: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): ChildProcess {
  const ports = ['--http-port=0', '--grpc-port=0', '--metrics-port=0', '--http-address=127.0.0.1']
  return spawn(
    process.execPath,
    [join(ROOT, 'src/cli/main.ts'), 'model-server', '--grpc-address=127.0.0.1', ...ports, ...flags],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...environment } },
  )
}

async function send(request: {
  readonly method: string
  readonly url: string
  readonly body: unknown
  readonly headers: Record<string, string> | undefined
}): Promise<Answer> {
  const { method, url, body, headers = {} } = request
  const isRaw = typeof body === 'string' || body instanceof Uint8Array
  const response = await fetch(url, {
    method,
    headers,
    ...(body !== undefined && {
      body: isRaw ? (body as string | Uint8Array<ArrayBuffer>) : JSON.stringify(body),
    }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, json: parseJson(text) }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

async function stop(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null) return child.exitCode
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  await exited
  return child.exitCode
}
