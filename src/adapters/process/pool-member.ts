import type { ChildProcess } from 'node:child_process'
import { Patience } from '../../platform/patience.ts'
import { findResidentBytes } from '../../platform/process-identity.ts'

/** What a waiting process is told to become. */
export interface Assignment {
  /** The command line it would have been started with. */
  readonly arguments: readonly string[]
  /** Of the container; added to what it was started with. */
  readonly environment: Readonly<Record<string, string>>
}

/** What waiting processes say, and what they are told: see `modelserver/pooled.ts`. */
type FromMember = { readonly kind: 'ready' } | { readonly kind: 'assigned' }

/** What a waiting process is made of. */
export interface PoolMemberOptions {
  readonly instanceId: string
  readonly logPath: string
  readonly startedAtMs: number
  readonly child: ChildProcess
  /** How long it may take to answer an assignment before it is given up. */
  readonly answerMsMax: number
}

/**
 * One process of the warm pool: booting → ready → assigned, or gone.
 *
 * It carries the id of the instance that it will be from its first moment, in its environment as well, where nothing can
 * be changed later: so it is found, adopted and killed as any instance.
 */
export class PoolMember {
  readonly instanceId: string
  /** Where its output goes until it is assigned. */
  readonly logPath: string
  readonly startedAtMs: number
  readonly #child: ChildProcess
  readonly #answerMsMax: number
  #isReady = false
  #isGone = false
  #onAssigned: ((isAssigned: boolean) => void) | undefined

  constructor({ instanceId, logPath, startedAtMs, child, answerMsMax }: PoolMemberOptions) {
    this.instanceId = instanceId
    this.logPath = logPath
    this.startedAtMs = startedAtMs
    this.#child = child
    this.#answerMsMax = answerMsMax
  }

  get isReady(): boolean {
    return this.#isReady && !this.#isGone
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  get memoryBytes(): number | undefined {
    return this.#child.pid === undefined ? undefined : findResidentBytes(this.#child.pid)
  }

  /** Begins to listen. @param onReady it waits for an assignment. @param onGone it ended before it had one. */
  watch(onReady: () => void, onGone: (reason: string) => void): void {
    const leave = (reason: string): void => {
      if (this.#isGone) return
      this.#isGone = true
      this.#onAssigned?.(false)
      onGone(reason)
    }
    this.#child.on('message', (message: FromMember) => {
      if (message.kind === 'assigned') this.#onAssigned?.(true)
      else {
        this.#isReady = true
        onReady()
      }
    })
    this.#child.once('error', (error) => leave(error.message))
    this.#child.once('exit', (code, signal) => leave(signal ?? `exit code ${code}`))
    // It must not keep control from ending.
    this.#child.channel?.unref()
  }

  /**
   * Makes it the instance.
   *
   * @returns the process, or undefined when it does not answer; it is killed then.
   */
  async assign(assignment: Assignment): Promise<ChildProcess | undefined> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const patience = new Patience()
    patience.begin(this.#answerMsMax, () => resolve(false))
    this.#onAssigned = resolve
    if (!this.isReady) resolve(false)
    else this.#child.send({ kind: 'assign', ...assignment }, (error) => error && resolve(false))
    const isAssigned = await promise
    patience.end()
    this.#onAssigned = undefined
    if (!isAssigned) {
      this.discard()
      return undefined
    }
    for (const name of ['message', 'error', 'exit']) this.#child.removeAllListeners(name)
    return this.#child
  }

  /** Ends it. It holds nothing. */
  discard(): void {
    if (!this.#isGone) this.#child.kill('SIGKILL')
  }
}
