import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from './until.ts'

const MAIN = join(import.meta.dirname, '../../src/modelserver/main.ts')

function answersPing(socketPath: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const asking = request({ socketPath, path: '/ping', agent: false }, (reply) => {
    reply.resume()
    resolve(reply.statusCode === 200)
  })
  asking.on('error', () => resolve(false))
  asking.end()
  return promise
}

/** A model server of its own process, on a Unix socket. */
export class ModelServerProcess implements AsyncDisposable {
  readonly socketPath: string
  readonly child: ChildProcess
  readonly exited: Promise<number | null>
  readonly #folder: string

  private constructor(
    args: readonly string[],
    socketPath: string | undefined,
    environment: Readonly<Record<string, string>>,
    onOutput: ((text: string) => void) | undefined,
  ) {
    this.#folder = mkdtempSync(join(tmpdir(), 'berth-ms-'))
    this.socketPath = socketPath ?? join(this.#folder, 'a.sock')
    this.child = spawn(process.execPath, [MAIN, `--socket=${this.socketPath}`, ...args], {
      stdio: ['ignore', onOutput === undefined ? 'ignore' : 'pipe', 'inherit'],
      env: { ...process.env, ...environment },
    })
    if (onOutput !== undefined) this.child.stdout?.setEncoding('utf8').on('data', onOutput)
    this.exited = once(this.child, 'exit').then(([code]) => code)
  }

  /**
   * @param socketPath where a predecessor listened that is gone; a fresh path by default.
   * @param onOutput is given what it logs, in pieces.
   */
  static async start(
    args: readonly string[],
    socketPath?: string,
    environment: Readonly<Record<string, string>> = {},
    onOutput?: (text: string) => void,
  ): Promise<ModelServerProcess> {
    await using started = new AsyncDisposableStack()
    const server = started.use(new ModelServerProcess(args, socketPath, environment, onOutput))
    await until('the model server to answer', () => {
      const { exitCode, signalCode } = server.child
      if (exitCode === null && signalCode === null) return answersPing(server.socketPath)
      throw new Error(`The model server ended with ${signalCode ?? `exit code ${exitCode}`}`)
    })
    started.move()
    return server
  }

  /** Its socket for frames of one worker. */
  framesPath(worker = 0): string {
    return this.socketPath.replace(/\.sock$/, `.w${worker}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL')
    await this.exited
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
