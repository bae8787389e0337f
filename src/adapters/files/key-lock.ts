/** Runs what concerns one key one after the other; other keys are not delayed. */
export class KeyLock {
  readonly #tailByKey = new Map<string, Promise<void>>()

  /** Waits for those before, runs `step`, and lets the next one go, however it ends. */
  async run<T>(key: string, step: () => Promise<T>): Promise<T> {
    const before = this.#tailByKey.get(key) ?? Promise.resolve()
    const { promise: tail, resolve: release } = Promise.withResolvers<void>()
    this.#tailByKey.set(key, tail)
    await before
    try {
      return await step()
    } finally {
      if (this.#tailByKey.get(key) === tail) this.#tailByKey.delete(key)
      release()
    }
  }
}
