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

  /** Takes out whoever's turn it is; undefined when all lines are empty. */
  next(): T | undefined {
    for (;;) {
      const turn = this.#lineByKey.entries().next()
      if (turn.done === true) return undefined
      const [key, line] = turn.value
      const [first] = line.items
      if (first !== undefined && line.credit >= first.cost) {
        line.credit -= first.cost
        line.items.shift()
        this.#count -= 1
        if (line.items.length === 0) this.#lineByKey.delete(key)
        return first.item
      }
      this.#lineByKey.delete(key)
      line.credit += CREDIT_PER_ROUND
      this.#lineByKey.set(key, line)
    }
  }
}
