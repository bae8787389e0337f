/** What a container works with. */
export interface Workbench {
  readonly random: () => number
  /** Calls back when so much work that begins now is done: later while the machine is slow or stands still. */
  readonly work: (workMs: number, done: () => void) => void
}

/** A container on a workbench: takes an invocation and calls back when it is answered. */
export type SimulatedContainer = (bench: Workbench) => (answered: () => void) => void

/** Workers that take one invocation each, in the order of arrival. */
export function workers(
  workerCount: number,
  workMs: (random: () => number) => number,
): SimulatedContainer {
  return ({ work, random }) => {
    const line: (() => void)[] = []
    let busyCount = 0
    const start = (): void => {
      const answered = busyCount < workerCount ? line.shift() : undefined
      if (answered === undefined) return
      busyCount += 1
      work(workMs(random), () => {
        busyCount -= 1
        answered()
        start()
      })
    }
    return (answered) => {
      line.push(answered)
      start()
    }
  }
}

/** Workers that take together what waits for them: `fixedMs + perRowMs × count`. */
export function batchers(
  workerCount: number,
  fixedMs: number,
  perRowMs: number,
): SimulatedContainer {
  return (bench) => {
    const all = Array.from({ length: workerCount }, () => new Batcher(bench, fixedMs, perRowMs))
    return (answered) => {
      const [least] = all.toSorted((a, b) => a.outstandingCount - b.outstandingCount)
      least?.add(answered)
    }
  }
}

class Batcher {
  readonly #bench: Workbench
  readonly #fixedMs: number
  readonly #perRowMs: number
  #waiting: (() => void)[] = []
  #runningCount = 0

  constructor(bench: Workbench, fixedMs: number, perRowMs: number) {
    this.#bench = bench
    this.#fixedMs = fixedMs
    this.#perRowMs = perRowMs
  }

  get outstandingCount(): number {
    return this.#waiting.length + this.#runningCount
  }

  add(answered: () => void): void {
    this.#waiting.push(answered)
    if (this.#runningCount === 0) this.#run()
  }

  #run(): void {
    const batch = this.#waiting
    this.#waiting = []
    this.#runningCount = batch.length
    const unevenness = 0.9 + 0.2 * this.#bench.random()
    this.#bench.work((this.#fixedMs + this.#perRowMs * batch.length) * unevenness, () => {
      this.#runningCount = 0
      for (const answered of batch) answered()
      if (this.#waiting.length > 0) this.#run()
    })
  }
}
