const RANDOM_VALUES = 2 ** 36

/**
 * 20 hex digits: 11 of time, so that ids sort by age, and 36 random bits.
 *
 * @param random in [0, 1).
 */
export function createInstanceId(nowMs: number, random: number): string {
  const chance = Math.floor(random * RANDOM_VALUES)
  return nowMs.toString(16).padStart(11, '0') + chance.toString(16).padStart(9, '0')
}
