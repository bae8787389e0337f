import type { FollowUp, FollowUpModel } from '../backend.ts'
import type { FollowUpRun, ToInstance } from './instance-messages.ts'

interface Attached {
  readonly key: number
  isLoaded: boolean
  readonly stopListening: () => void
}

/** The models that the thread of an instance has beside its own. */
export class AttachedModels {
  readonly #send: (message: ToInstance) => void
  readonly #attached = new Map<FollowUpModel, Attached>()
  #keyCount = 0
  #isClosed = false

  constructor(send: (message: ToInstance) => void) {
    this.#send = send
  }

  /** Chooses the follow-ups that the thread can run, from the first one to one whose model it does not have; that it is given. */
  choose(followUps: readonly FollowUp[]): readonly FollowUpRun[] {
    if (this.#isClosed) return []
    const runs: FollowUpRun[] = []
    let isOpen = true
    for (const { model, inputs, outputNames } of followUps) {
      const attached = this.#attached.get(model) ?? this.#attach(model)
      isOpen &&= attached.isLoaded
      if (isOpen) runs.push({ key: attached.key, inputs, outputNames })
    }
    return runs
  }

  /** The thread has loaded one. */
  add(key: number): void {
    for (const attached of this.#attached.values()) {
      if (attached.key === key) attached.isLoaded = true
    }
  }

  /** The thread is gone, perhaps because of one of them: the next one gets none. */
  close(): void {
    this.#isClosed = true
    for (const { stopListening } of this.#attached.values()) stopListening()
    this.#attached.clear()
  }

  #attach(model: FollowUpModel): Attached {
    const key = this.#keyCount++
    const stopListening = model.onClose(() => {
      this.#attached.delete(model)
      this.#send({ kind: 'detach', key })
    })
    const attached = { key, isLoaded: false, stopListening }
    this.#attached.set(model, attached)
    this.#send({ kind: 'attach', key, data: model.data })
    return attached
  }
}
