import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { Duplex } from 'node:stream'
import { WorkerChannel } from './channel.ts'
import type { WorkerFrame } from './channel.ts'
import { workerProgramPath } from './worker-program.ts'

/** One Python process to start. */
export interface PythonLaunch {
  /** Python's executable. */
  readonly python: string
  /** A module of `worker/berth_worker` that has a `main`. */
  readonly program: string
  readonly arguments: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

/** Who hears of a worker. */
export interface PythonWorkerListener {
  readonly onFrame: (frame: WorkerFrame) => void
  /** It is gone, in words that complete "the Python worker …". Nothing is heard of it afterwards. */
  readonly onExit: (how: string) => void
}

// User code may hold the interpreter for as long as it wants.
const END_MS_MAX = 2_000

/**
 * One Python process and the channel to it.
 *
 * Its output goes where ours goes, without passing through us: whatever it prints costs us neither time nor memory.
 */
export class PythonWorker {
  readonly #child: ChildProcess
  readonly #channel: WorkerChannel
  #lostBecause: string | undefined
  #isGone = false

  constructor(launch: PythonLaunch, listener: PythonWorkerListener) {
    const args = [workerProgramPath(), launch.program, ...launch.arguments]
    this.#child = spawn(launch.python, args, {
      stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
      env: launch.environment,
    })
    const socket = this.#child.stdio[3]
    if (!(socket instanceof Duplex)) throw new Error('The worker has no channel.')
    this.#channel = new WorkerChannel(
      socket,
      (frame) => {
        if (!this.#isGone) listener.onFrame(frame)
      },
      (reason) => {
        this.#lostBecause = `wrote to the model server's channel: ${reason}`
        this.kill()
      },
    )
    const leave = (how: string): void => {
      if (this.#isGone) return
      this.#isGone = true
      listener.onExit(how)
    }
    this.#child.once('error', (error) => leave(`could not be started: ${error.message}`))
    // Not `exit`: what it still said is read first.
    this.#child.once('close', (code, signal) => {
      leave(
        this.#lostBecause ??
          (signal === null ? `ended with exit code ${code}` : `was killed by ${signal}`),
      )
    })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** @throws RangeError the body is too large for a frame. */
  send(kind: number, callId: number, head: unknown, ...parts: readonly Uint8Array[]): void {
    this.#channel.send(kind, callId, head, ...parts)
  }

  pause(): void {
    this.#channel.pause()
  }

  resume(): void {
    this.#channel.resume()
  }

  /** Interrupts the call that it runs, if user code can be interrupted there: native code cannot. */
  interrupt(): void {
    this.#child.kill('SIGUSR2')
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  /** Lets it end by itself, then kills it. */
  async close(endMsMax = END_MS_MAX): Promise<void> {
    if (this.#isGone) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#child.once('close', () => resolve())
    this.#channel.end()
    const timer = setTimeout(() => this.kill(), endMsMax)
    await promise
    clearTimeout(timer)
  }
}
