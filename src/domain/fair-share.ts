/** Room that several share. All in the same unit. */
export interface SharedRoom {
  readonly capacity: number
  /** Taken by all together. */
  readonly taken: number
  /** Taken by the one that asks. */
  readonly ownTaken: number
  readonly wanted: number
}

// One by itself gets four fifths of the room, two get four ninths each.
const TIMES_FREE = 4

/**
 * Whether one of those who share gets what it wants: there is room, and it holds no more than four times what is free.
 *
 * ```text
 * capacity 90: alone up to 72; beside one that holds 40: up to 40; whoever comes then finds 10 free
 * ```
 *
 * However much one wants, something is left for the next; and nobody has to count who shares, or reserve for who does not
 * come. Source: the dynamic thresholds of shared-memory switches (Choudhury and Hahne, 1998).
 */
export function decideShare(room: SharedRoom): 'granted' | 'no-room' | 'over-share' {
  const free = room.capacity - room.taken
  if (room.wanted > free) return 'no-room'
  return room.ownTaken + room.wanted <= TIMES_FREE * free ? 'granted' : 'over-share'
}
