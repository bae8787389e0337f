import { randomUUID } from 'node:crypto'
import { readdir, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { findProcess, isRunning } from '../../../platform/process-identity.ts'

/*
 * Beside the place of an environment:
 *
 *   KEY.used              when it was last asked for: the time of this file
 *   KEY.use-PID-TOKEN     a process that uses it, as long as that runs
 */

/** Says that this process uses an environment, from now until it ends or the use is given up. */
export class UseMark {
  readonly #place: string
  readonly #prefix: string
  readonly #path: string

  constructor(place: string) {
    const own = findProcess(process.pid)
    if (own === undefined) throw new Error('This process does not find itself.')
    this.#place = place
    this.#prefix = `${place}.use-${own.pid}-${encodeURIComponent(own.startToken)}`
    this.#path = `${this.#prefix}-${randomUUID().slice(0, 8)}`
  }

  async set(): Promise<void> {
    await writeFile(this.#path, '')
  }

  /** One mark is enough for all uses by this process until it ends. */
  async keep(): Promise<void> {
    await rename(this.#path, this.#prefix)
    await touch(this.#place, new Date())
  }

  async giveUp(): Promise<void> {
    await rm(this.#path, { force: true })
  }
}

/** Sets when an environment was last asked for. */
export async function touch(place: string, at: Date): Promise<void> {
  const path = `${place}.used`
  await writeFile(path, '')
  await utimes(path, at, at)
}

/** Whether a process that runs uses an environment. Marks of those that have ended are removed. */
export async function isUsed(place: string): Promise<boolean> {
  const prefix = `${basename(place)}.use-`
  const names = await readdir(dirname(place))
  const marks = names.filter((name) => name.startsWith(prefix))
  const dead = marks.filter((name) => {
    const [, pid = '', token = ''] = /^(\d+)-([^-]*)/.exec(name.slice(prefix.length)) ?? []
    return !isRunning({ pid: Number(pid), startToken: decodeURIComponent(token) })
  })
  await Promise.all(dead.map((name) => rm(join(dirname(place), name), { force: true })))
  return dead.length < marks.length
}
