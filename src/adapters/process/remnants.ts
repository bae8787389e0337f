import { findProcess, isRunning } from '../../platform/process-identity.ts'
import type { ProcessIdentity } from '../../platform/process-identity.ts'
import { signalProcess } from './process-table.ts'
import type { MarkedProcess } from './process-table.ts'

/**
 * Processes that were killed and may not have ended yet. They are told by identity, not by their marks: an ending process
 * loses its environment before its files and sockets.
 */
export class Remnants {
  #ending: readonly ProcessIdentity[] = []

  /**
   * Kills these too; may be called again with what is found then.
   *
   * @returns whether none was given, and none of before runs any more.
   */
  kill(marked: readonly MarkedProcess[]): boolean {
    const found = marked.flatMap(({ pid }) => findProcess(pid) ?? [])
    for (const { pid } of marked) signalProcess(pid, 'SIGKILL')
    const before = this.#ending.filter(({ pid }) => !found.some((other) => other.pid === pid))
    this.#ending = [...before, ...found].filter(isRunning)
    return marked.length === 0 && this.#ending.length === 0
  }

  /** Those that still run. */
  get pids(): readonly number[] {
    return this.#ending.map(({ pid }) => pid)
  }
}
