/**
 * One limit of time for a sign of life from elsewhere. What has come by then, and lies unread because this process itself was
 * held up, is read before anybody is judged.
 */
export class Patience {
  #timer: NodeJS.Timeout | undefined
  #judgement: NodeJS.Immediate | undefined

  /** Begins anew, in the place of any limit before. @param onOver called unless it ends or begins anew within the time */
  begin(limitMs: number, onOver: () => void): void {
    this.end()
    this.#timer = setTimeout(() => {
      // Immediates come after what can be read.
      this.#judgement = setImmediate(onOver)
    }, limitMs)
  }

  end(): void {
    clearTimeout(this.#timer)
    clearImmediate(this.#judgement)
  }
}
