import type { Message, WatchStream } from './call-forms.ts'

// How soon watchers hear of a change.
const LOOK_EVERY_MS = 200

/** Tells those that watch whether the server is ready, at once and whenever that changes. */
export class HealthWatch {
  readonly #isReady: () => boolean
  readonly #watchers = new Map<WatchStream, boolean>()
  #timer: NodeJS.Timeout | undefined

  constructor(isReady: () => boolean) {
    this.#isReady = isReady
  }

  /** As `Check` answers, whatever the service: source: Triton. */
  status(): Message {
    return { status: this.#isReady() ? 'SERVING' : 'NOT_SERVING' }
  }

  add(watcher: WatchStream): void {
    const leave = (): void => {
      this.#watchers.delete(watcher)
      if (this.#watchers.size === 0) clearInterval(this.#timer)
    }
    watcher.on('cancelled', leave)
    watcher.on('error', leave)
    if (this.#watchers.size === 0) {
      this.#timer = setInterval(() => this.#tell(), LOOK_EVERY_MS)
    }
    this.#watchers.set(watcher, this.#isReady())
    watcher.write(this.status())
  }

  /** Tells all what is so last, and ends. */
  close(): void {
    clearInterval(this.#timer)
    this.#tell()
    for (const watcher of this.#watchers.keys()) watcher.end()
    this.#watchers.clear()
  }

  #tell(): void {
    const isReady = this.#isReady()
    for (const [watcher, told] of this.#watchers) {
      if (told === isReady) continue
      this.#watchers.set(watcher, isReady)
      watcher.write(this.status())
    }
  }
}
