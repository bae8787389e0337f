import type { Enqueued } from './enqueued.ts'

interface Place {
  readonly deliveries: (() => void)[]
  isOver: boolean
}

/** Holds answers back until those of all earlier requests are out. */
export class OrderedAnswers {
  readonly #places = new Set<Place>()

  /** Gives a request its place; what it answers with then goes out in turn. */
  enter(request: Enqueued): Enqueued {
    const place: Place = { deliveries: [], isOver: false }
    this.#places.add(place)
    const deliver = (delivery: () => void, isOver: boolean): void => {
      place.deliveries.push(delivery)
      place.isOver ||= isOver
      this.#release()
    }
    return {
      ...request,
      respond: (response, isFinal) => deliver(() => request.respond(response, isFinal), isFinal),
      fail: (error) => deliver(() => request.fail(error), true),
    }
  }

  #release(): void {
    for (const place of this.#places) {
      for (const deliver of place.deliveries.splice(0)) deliver()
      if (!place.isOver) return
      this.#places.delete(place)
    }
  }
}
