/** One instance as routing to a model sees it. Times in milliseconds. */
export interface ModelCandidate {
  readonly instanceId: string
  /** How long an invocation would take that is given to it now, the ones before it included; 0 while nothing is known. */
  readonly serviceMs: number
  /** How long with nothing before it; 0 while nothing is known. */
  readonly aloneMs: number
  /** Invocations that it has now. */
  readonly aheadCount: number
  /** `loaded`; `loading`: somebody has asked for it; `absent`. */
  readonly presence: 'loaded' | 'loading' | 'absent'
  /** Loads that wait before one that is asked for now; for a model that loads, until it is there. */
  readonly loaderMs: number
}

/**
 * The candidates with what is not known of them taken to be as the quickest of the others, one invocation after the other: an
 * instance that has just come has answered nothing, and is not infinitely quick for that. Otherwise every model would be
 * loaded on it at once. Nor does it share the work that waits at the others.
 */
export function assumeService<C extends ModelCandidate>(candidates: readonly C[]): readonly C[] {
  if (candidates.every(({ serviceMs }) => serviceMs > 0)) return candidates
  const known = candidates.flatMap(({ aloneMs }) => (aloneMs > 0 ? [aloneMs] : []))
  if (known.length === 0) return candidates
  const aloneMs = Math.min(...known)
  return candidates.map((one) =>
    one.serviceMs > 0 ? one : { ...one, aloneMs, serviceMs: aloneMs * (one.aheadCount + 1) },
  )
}

// Of a load's cost: two places that differ by less are the same, and the rank among them decides. Keeps a model where it is
// when estimates waver.
const TIE_SHARE = 0.02

/**
 * The instance on which the invocation is expected to be answered first, what a load costs included; `undefined` when there
 * is none.
 *
 * ```text
 * holder, 3 ms of work waiting      → 3 + service
 * holder, 80 ms of work waiting     → 80 + service      ← a load of 40 ms elsewhere is quicker: a hot model gets a copy
 * idle, does not have it            → 40 + service
 * ```
 *
 * So traffic stays where its model is, and copies come by themselves when that costs more than a load. Equals are told apart
 * by rendezvous rank, which makes a model's first home the same for every gateway.
 *
 * @param loadMs what loading the model is expected to take.
 */
export function chooseModelInstance<C extends ModelCandidate>(
  candidates: readonly C[],
  targetModel: string,
  loadMs: number,
): C | undefined {
  let chosen: C | undefined
  let leastMs = Infinity
  let chosenRank = 0
  for (const candidate of candidates) {
    const scoreMs = expectedMs(candidate, loadMs)
    const isTie = Math.abs(scoreMs - leastMs) <= TIE_SHARE * loadMs
    if (!isTie && scoreMs > leastMs) continue
    const rank = rankOf(targetModel, candidate.instanceId)
    if (isTie && !wins(candidate, rank, chosen, chosenRank)) continue
    chosen = candidate
    chosenRank = rank
    leastMs = Math.min(leastMs, scoreMs)
  }
  return chosen
}

// Among equals one that has the model, then the higher rank.
function wins(
  candidate: ModelCandidate,
  rank: number,
  chosen: ModelCandidate | undefined,
  chosenRank: number,
): boolean {
  const had = chosen !== undefined && chosen.presence !== 'absent'
  const has = candidate.presence !== 'absent'
  if (has !== had) return has
  return rank > chosenRank
}

function expectedMs({ serviceMs, presence, loaderMs }: ModelCandidate, loadMs: number): number {
  return presence === 'loaded' ? serviceMs : serviceMs + loaderMs + loadMs
}

/**
 * How high an instance ranks as the home of a model: rendezvous hashing. Adding an instance moves only the models that rank
 * it first. Source: Thaler and Ravishankar, 1998.
 *
 * @returns an unsigned 32-bit number; FNV-1a with a final mix, for names that differ in one character.
 */
export function rankOf(targetModel: string, instanceId: string): number {
  let hash = 0x81_1c_9d_c5
  for (const text of [targetModel, '\0', instanceId]) {
    for (let index = 0; index < text.length; index += 1) {
      hash = Math.imul(hash ^ text.charCodeAt(index), 0x01_00_01_93)
    }
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85_eb_ca_6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2_b2_ae_35)
  return (hash ^ (hash >>> 16)) >>> 0
}
