import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { programPath } from '../../src/platform/program.ts'
import { ask, bodyOf } from './ask.ts'

const ANSWER_MAX_MS = 60_000
const POLL_MS = 1
const HTTP_OK = 200

/** What one model server is to serve. */
export interface ServerOptions {
  readonly modelDirectory: string
  readonly optimisedDirectory: string | undefined
  readonly workerCount: number
  /** A folder of its own; the path must be short. */
  readonly folder: string
}

/** A model server as the process runtime starts it, without the rest of the platform. */
export class ModelServerProcess implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #socketPath: string
  /** Number of log lines by event. */
  readonly #eventCounts = new Map<string, number>()

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child
    this.#socketPath = `${folder}/0.sock`
    if (child.stdout === null) throw new Error('A model server needs an output.')
    createInterface({ input: child.stdout }).on('line', (line) => this.#count(line))
  }

  /** Spawned afresh. @returns at once. */
  static start(options: ServerOptions): ModelServerProcess {
    const child = spawn(process.execPath, [programPath('modelserver/main'), ...args(options)], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: environment(options.folder),
    })
    return new ModelServerProcess(child, options.folder)
  }

  /** Booted and waiting, as one of the warm pool. @returns what makes it the server. */
  static async pool(options: ServerOptions): Promise<() => ModelServerProcess> {
    const child = spawn(process.execPath, [programPath('modelserver/main'), '--pooled'], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      env: environment(options.folder),
    })
    const server = new ModelServerProcess(child, options.folder)
    await once(child, 'message')
    return () => {
      child.send({ kind: 'assign', arguments: args(options), environment: {} })
      return server
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Waits for the first answer. @returns its body. */
  async firstAnswer(request: Buffer): Promise<string> {
    const startedAtMs = performance.now()
    while (performance.now() - startedAtMs < ANSWER_MAX_MS) {
      const response = await ask(
        { kind: 'socket', path: this.#socketPath },
        request,
        ANSWER_MAX_MS,
      ).catch(() => undefined)
      if (response?.status === HTTP_OK) return bodyOf(response)
      if (this.#child.exitCode !== null) throw new Error('The model server ended.')
      await sleep(POLL_MS)
    }
    throw new Error(`No answer came in ${ANSWER_MAX_MS / 1000} s.`)
  }

  /** Waits until its log has told of an event so often. */
  async logged(event: string, count: number): Promise<void> {
    const startedAtMs = performance.now()
    while ((this.#eventCounts.get(event) ?? 0) < count) {
      if (performance.now() - startedAtMs > ANSWER_MAX_MS)
        throw new Error(`No ${count} × ${event}.`)
      await sleep(POLL_MS)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
  }

  #count(line: string): void {
    const event = /"msg":"([^"]+)"/.exec(line)?.[1] ?? ''
    this.#eventCounts.set(event, (this.#eventCounts.get(event) ?? 0) + 1)
  }
}

function args({
  modelDirectory,
  optimisedDirectory,
  workerCount,
  folder,
}: ServerOptions): string[] {
  return [
    '--image=berth/onnx',
    `--model-directory=${modelDirectory}`,
    ...(optimisedDirectory === undefined ? [] : [`--optimised-directory=${optimisedDirectory}`]),
    `--socket=${folder}/0.sock`,
    `--workers=${workerCount}`,
  ]
}

// As `adapters/process/launch.ts` and the composition root give it.
function environment(folder: string): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    MALLOC_TRIM_THRESHOLD_: '65536',
    NODE_COMPILE_CACHE: `${folder}/../code-cache`,
  }
}
