/** A request of a sequence. Times are of one monotonic clock. */
export interface SequenceItem {
  readonly correlationId: bigint | string
  readonly isStart: boolean
  readonly isEnd: boolean
  readonly enqueuedAtMs: number
  /** How long its sequence may wait for a slot because of it; infinite for ever. */
  readonly deadlineAtMs: number
}

/** A sequence that the line knows. What a model keeps for it belongs to this object, so it ends with it. */
export interface Sequence {
  readonly correlationId: bigint | string
}

/** Where the sequences of a model run. */
export interface SequencePlaces {
  readonly instanceCount: number
  /** Sequences that one instance has at a time. */
  readonly slotCount: number
  /** A sequence that nothing came for, waited or ran in this time gives its slot up. */
  readonly idleMs: number
}

interface Slot {
  readonly instance: number
  readonly index: number
}

class OpenSequence<T extends SequenceItem> implements Sequence {
  readonly correlationId: bigint | string
  readonly queue: T[] = []
  slot: Slot | undefined
  usedAtMs = 0
  deadlineAtMs = Infinity
  /** Nothing more comes: its end has arrived, or it was given up. */
  isClosed = false
  isRunning = false

  constructor(correlationId: bigint | string) {
    this.correlationId = correlationId
  }
}

/**
 * The sequences of a model: each has a slot of one instance until its end, and those that find none wait for one in the
 * order in which they started. Within a sequence requests keep their order. Source: Triton's sequence batcher, reference §8.
 *
 * ```text
 * 2 slots:  START a → slot 0 | START b → slot 1 | START c → waits | END a, run → slot 0 is c's
 * ```
 */
export class SequenceLine<T extends SequenceItem> {
  readonly #idleMs: number
  readonly #instances: readonly (OpenSequence<T> | undefined)[][]
  /** Sequences that more may come for, by id. */
  readonly #open = new Map<bigint | string, OpenSequence<T>>()
  /** Without a slot, in the order of their starts. */
  readonly #backlog = new Set<OpenSequence<T>>()
  readonly #sequenceOf = new Map<T, OpenSequence<T>>()

  constructor({ instanceCount, slotCount, idleMs }: SequencePlaces) {
    this.#idleMs = idleMs
    this.#instances = Array.from({ length: instanceCount }, () =>
      Array.from({ length: slotCount }, () => undefined),
    )
  }

  /** Requests that wait, with and without a slot. */
  get size(): number {
    return this.#sequenceOf.size
  }

  /** Whether a request may come without starting a sequence. */
  isOpen(correlationId: bigint | string): boolean {
    return this.#open.has(correlationId)
  }

  /**
   * Takes a request. A start on an open sequence begins it anew, behind what waits of it.
   *
   * @returns false when it belongs to no sequence, for then it must start one.
   */
  add(item: T, nowMs: number): boolean {
    let sequence = this.#open.get(item.correlationId)
    if (sequence === undefined) {
      if (!item.isStart) return false
      sequence = new OpenSequence<T>(item.correlationId)
      this.#open.set(item.correlationId, sequence)
      this.#backlog.add(sequence)
    }
    sequence.queue.push(item)
    sequence.usedAtMs = nowMs
    sequence.deadlineAtMs = Math.min(sequence.deadlineAtMs, item.deadlineAtMs)
    this.#sequenceOf.set(item, sequence)
    if (item.isEnd) this.#close(sequence)
    this.#fillSlots()
    return true
  }

  /** The next request of each slot of an instance, by the slot's number, to the last slot that has one. */
  heads(instance: number): readonly (T | undefined)[] {
    const heads = (this.#instances[instance] ?? []).map((sequence) => sequence?.queue[0])
    return heads.slice(0, heads.findLastIndex((head) => head !== undefined) + 1)
  }

  /** Takes the next request of these slots out to be run. A slot whose sequence ends is the next sequence's. */
  take(
    instance: number,
    slots: readonly number[],
  ): readonly { readonly item: T; readonly sequence: Sequence }[] {
    const taken = slots.flatMap((index) => {
      const sequence = this.#instances[instance]?.[index]
      const item = sequence?.queue.shift()
      if (sequence === undefined || item === undefined) return []
      this.#sequenceOf.delete(item)
      sequence.isRunning = true
      if (item.isEnd) this.#release(sequence)
      return { item, sequence }
    })
    this.#fillSlots()
    return taken
  }

  /** What was taken of these sequences has been run. */
  finish(sequences: readonly Sequence[], nowMs: number): void {
    for (const known of this.#instances.flat()) {
      if (known === undefined || !sequences.includes(known)) continue
      known.isRunning = false
      known.usedAtMs = nowMs
      if (known.isClosed && known.queue.length === 0) this.#release(known)
    }
    this.#fillSlots()
  }

  /**
   * Takes a request out that nobody wants any more, with the rest of its sequence, which has a gap now.
   *
   * @returns what was taken out, the request first; nothing when it does not wait.
   */
  cancel(item: T): readonly T[] {
    const sequence = this.#sequenceOf.get(item)
    if (sequence === undefined) return []
    const { queue } = sequence
    const from = queue.indexOf(item)
    const nextStart = queue.findIndex((one, index) => index > from && one.isStart)
    const isRestarted = nextStart !== -1
    const cancelled = queue.splice(from, (isRestarted ? nextStart : queue.length) - from)
    for (const one of cancelled) this.#sequenceOf.delete(one)
    if (!isRestarted) this.#close(sequence)
    if (queue.length === 0 && !sequence.isRunning) this.#release(sequence)
    this.#fillSlots()
    return cancelled
  }

  /** Ends sequences that have been idle for too long, and takes out those that have waited too long for a slot. */
  expire(nowMs: number): readonly T[] {
    for (const sequence of this.#instances.flat()) {
      if (sequence === undefined || !isIdle(sequence)) continue
      if (sequence.usedAtMs + this.#idleMs > nowMs) continue
      this.#close(sequence)
      this.#release(sequence)
    }
    this.#fillSlots()
    const late = [...this.#backlog].filter(({ deadlineAtMs }) => deadlineAtMs <= nowMs)
    for (const sequence of late) {
      this.#close(sequence)
      this.#backlog.delete(sequence)
    }
    const rejected = late.flatMap(({ queue }) => queue.splice(0))
    for (const item of rejected) this.#sequenceOf.delete(item)
    return rejected
  }

  /** When `expire` has something to do next; infinite for never. */
  get nextExpiryAtMs(): number {
    let earliestMs = Infinity
    for (const sequence of this.#instances.flat()) {
      if (sequence === undefined || !isIdle(sequence)) continue
      earliestMs = Math.min(earliestMs, sequence.usedAtMs + this.#idleMs)
    }
    for (const { deadlineAtMs } of this.#backlog) earliestMs = Math.min(earliestMs, deadlineAtMs)
    return earliestMs
  }

  #close(sequence: OpenSequence<T>): void {
    sequence.isClosed = true
    if (this.#open.get(sequence.correlationId) === sequence) {
      this.#open.delete(sequence.correlationId)
    }
  }

  #release(sequence: OpenSequence<T>): void {
    this.#backlog.delete(sequence)
    const { slot } = sequence
    if (slot === undefined) return
    const slots = this.#instances[slot.instance]
    if (slots !== undefined) slots[slot.index] = undefined
    sequence.slot = undefined
  }

  #fillSlots(): void {
    for (const sequence of this.#backlog) {
      const slot = this.#findFreeSlot()
      if (slot === undefined) return
      this.#backlog.delete(sequence)
      sequence.slot = slot
      const slots = this.#instances[slot.instance]
      if (slots !== undefined) slots[slot.index] = sequence
    }
  }

  // The lowest number of all instances, so that their batches stay short and they share the load.
  #findFreeSlot(): Slot | undefined {
    let found: Slot | undefined
    for (const [instance, slots] of this.#instances.entries()) {
      const index = slots.indexOf(undefined)
      if (index !== -1 && (found === undefined || index < found.index)) found = { instance, index }
    }
    return found
  }
}

function isIdle(sequence: OpenSequence<SequenceItem>): boolean {
  return sequence.queue.length === 0 && !sequence.isRunning
}
