interface Line<T> {
  readonly items: { readonly item: T; readonly cost: number }[]
  /** What it may still spend in this round. */
  credit: number
}

// In the unit of costs; the cost of the commonest item, so that a round gives each line about one.
const CREDIT_PER_ROUND = 1

/**
 * Lines that take turns, each in its own order: deficit round robin.
 *
 * A line whose first item costs more than its credit saves until it can pay, so what each line gets is even in cost,
 * not in number. Source: Shreedhar and Varghese, 1996.
 */
export class RoundRobin<T> {
  // In the order of their turns.
  readonly #lineByKey = new Map<string, Line<T>>()
  #count = 0

  get count(): number {
    return this.#count
  }

  has(key: string): boolean {
    return this.#lineByKey.has(key)
  }

  /** @param cost > 0. */
  add(key: string, item: T, cost: number): void {
    const line = this.#lineByKey.get(key) ?? { items: [], credit: 0 }
    line.items.push({ item, cost })
    this.#lineByKey.set(key, line)
    this.#count += 1
  }

  /** Takes out one item, wherever it stands. @returns whether it was there. */
  remove(key: string, item: T): boolean {
    const line = this.#lineByKey.get(key)
    const index = line?.items.findIndex((waiting) => waiting.item === item) ?? -1
    if (line === undefined || index < 0) return false
    line.items.splice(index, 1)
    this.#count -= 1
    if (line.items.length === 0) this.#lineByKey.delete(key)
    return true
  }

  /** Items of one line. */
  countOf(key: string): number {
    return this.#lineByKey.get(key)?.items.length ?? 0
  }

  /** Takes out whoever's turn it is; undefined when all lines are empty, or none that may go is left. */
  next(mayGo: (key: string) => boolean = () => true): T | undefined {
    let heldCount = 0
    for (;;) {
      const turn = this.#lineByKey.entries().next()
      if (turn.done === true || heldCount >= this.#lineByKey.size) return undefined
      const [key, line] = turn.value
      if (!mayGo(key)) {
        // To the end without credit: its turn has passed.
        heldCount += 1
        this.#lineByKey.delete(key)
        this.#lineByKey.set(key, line)
        continue
      }
      const [first] = line.items
      if (first !== undefined && line.credit >= first.cost) {
        line.credit -= first.cost
        line.items.shift()
        this.#count -= 1
        if (line.items.length === 0) this.#lineByKey.delete(key)
        return first.item
      }
      heldCount = 0
      this.#lineByKey.delete(key)
      line.credit += CREDIT_PER_ROUND
      this.#lineByKey.set(key, line)
    }
  }
}
