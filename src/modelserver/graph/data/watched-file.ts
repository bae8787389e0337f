import { statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'

const LOOK_MS = 500
const BUSY_MS = 1000

interface Open<Opened> {
  readonly database: DatabaseSync
  readonly opened: Opened
}

/**
 * A file of SQLite, opened for reading, and opened again when another file has taken its place. What is open stays whole: a file
 * that was replaced lives on until it is closed.
 */
export class WatchedFile<Opened> implements Disposable {
  readonly #path: string
  readonly #prepare: (database: DatabaseSync) => Opened
  readonly #onUnreadable: (error: unknown) => void
  #database: DatabaseSync
  #opened: Opened
  #identity: string
  #lookedAtMs = performance.now()

  /**
   * @param prepare makes what is wanted of an open file; its errors are those of the constructor.
   * @param onUnreadable hears why a file that has taken the place is not used.
   */
  constructor(
    path: string,
    prepare: (database: DatabaseSync) => Opened,
    onUnreadable: (error: unknown) => void,
  ) {
    this.#path = path
    this.#prepare = prepare
    this.#onUnreadable = onUnreadable
    this.#identity = identify(path)
    const { database, opened } = open(path, prepare)
    this.#database = database
    this.#opened = opened
  }

  /** Of the file as it was at most half a second ago; of the one before, when the new one cannot be read. */
  get(): Opened {
    const nowMs = performance.now()
    if (nowMs - this.#lookedAtMs < LOOK_MS) return this.#opened
    this.#lookedAtMs = nowMs
    const identity = identify(this.#path)
    if (identity === '' || identity === this.#identity) return this.#opened
    try {
      this.#take(open(this.#path, this.#prepare), identity)
    } catch (error) {
      this.#onUnreadable(error)
    }
    return this.#opened
  }

  #take({ database, opened }: Open<Opened>, identity: string): void {
    this.#database.close()
    this.#database = database
    this.#opened = opened
    this.#identity = identity
  }

  [Symbol.dispose](): void {
    this.#database.close()
  }
}

function open<Opened>(path: string, prepare: (database: DatabaseSync) => Opened): Open<Opened> {
  const database = new DatabaseSync(path, { readOnly: true, timeout: BUSY_MS })
  try {
    return { database, opened: prepare(database) }
  } catch (error) {
    database.close()
    throw error
  }
}

function identify(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false })
  return found === undefined ? '' : `${found.dev}:${found.ino}`
}
