/** Memory that the workers of one model share: who of them may be away from serving. */
export type TurnMemory = SharedArrayBuffer

// A worker that died in its turn must not keep it: after so long it is anybody's.
const TURN_SECONDS_MAX = 120

export function createTurn(): TurnMemory {
  return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)
}

/** Takes the turn if nobody has it. @returns what gives it back, or `undefined`. */
export function takeTurn(memory: TurnMemory, nowSeconds: number): (() => void) | undefined {
  const cells = new Int32Array(memory)
  const takenUntil = Atomics.load(cells, 0)
  if (takenUntil > nowSeconds) return undefined
  const mine = Math.ceil(nowSeconds) + TURN_SECONDS_MAX
  if (Atomics.compareExchange(cells, 0, takenUntil, mine) !== takenUntil) return undefined
  return () => void Atomics.compareExchange(cells, 0, mine, 0)
}
