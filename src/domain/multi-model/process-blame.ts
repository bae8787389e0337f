import { backOffDelayMs } from '../back-off.ts'
import type { BackOffPolicy } from '../back-off.ts'

// One that answers so often before it ends a process is put up with: processes are ended from outside, too.
const ANSWERS_FORGIVEN = 100
// The others show meanwhile whether the process lives without it.
const SUSPECT_BACK_OFF: BackOffPolicy = { freeCount: 1, firstDelayMs: 1_000, delayMsMax: 8_000 }
// Longer than an instance must live for its next start not to be delayed (10 s), or the others would pay for each try.
const CULPRIT_BACK_OFF: BackOffPolicy = { freeCount: 0, firstDelayMs: 15_000, delayMsMax: 300_000 }
const REMEMBERED_MS = 1_800_000

/** A model that was being loaded, or had invocations under way, in a process when that ended. */
export interface DeathSuspect {
  readonly model: string
  /** Invocations of it that this process had answered before. */
  readonly answeredCount: number
}

/** A model that is to be left alone for a while. */
export interface BlamedModel {
  readonly model: string
  readonly waitMs: number
  /** Deaths in a row in which it was under way. */
  readonly deathCount: number
  /** Others of which the same is true; with none it is the culprit. */
  readonly otherCount: number
}

/** What follows from a death. */
export interface DeathVerdict {
  readonly blamed: readonly BlamedModel[]
  /** Left alone without need: the process ended without them. */
  readonly cleared: readonly string[]
}

interface Streak {
  readonly model: string
  deathCount: number
  /** How often it was taken for the culprit. */
  culpritCount: number
  lastAtMs: number
}

/**
 * Which of the models that share a process repeatedly end it.
 *
 * Nobody sees which one it was, only which were under way. One that had answered in the process is taken to be none of them,
 * unless nothing else was under way. Of those that were under way in the last two deaths or more, half are left out for
 * seconds: if the process dies without them it was one of the others; if it lives, the others show by their answers that they
 * are none. The one that is left in the end is the culprit, and is left alone for longer each time.
 *
 * ```text
 *           killer      popular (answers 500)   slow (has not answered yet)
 * death 1   1           –                       1     the first is free: processes are ended from outside, too
 * death 2   2 → 1 s     –                       2     killer or slow: one of them is left out
 *           left out    answers                 answers
 * death 3   3 → 15 s    –                       –     killer
 * death 4   4 → 30 s    –                       –     then 60, 120, … s
 * ```
 *
 * A model that ends its process only now and then, after answers, is told from others only when it is alone.
 */
export class ProcessBlame {
  readonly #streakByModel = new Map<string, Streak>()

  recordDeath(suspects: readonly DeathSuspect[], nowMs: number): DeathVerdict {
    const cleared = this.#clear(new Set(suspects.map(({ model }) => model)), nowMs)
    const answersMin = suspects.length === 1 ? ANSWERS_FORGIVEN : 1
    const repeated: Streak[] = []
    for (const { model, answeredCount } of suspects) {
      if (answeredCount >= answersMin) this.#streakByModel.delete(model)
      else {
        const streak = this.#lengthen(model, nowMs)
        if (streak.deathCount > 1) repeated.push(streak)
      }
    }
    return { blamed: blame(repeated), cleared }
  }

  // Who was not under way has not done it; but of several culprits one may have been left alone while another did.
  #clear(present: ReadonlySet<string>, nowMs: number): readonly string[] {
    const cleared: string[] = []
    for (const { model, culpritCount, lastAtMs } of this.#streakByModel.values()) {
      const isForgotten = nowMs - lastAtMs > REMEMBERED_MS
      if (!isForgotten && (present.has(model) || culpritCount > 0)) continue
      this.#streakByModel.delete(model)
      cleared.push(model)
    }
    return cleared
  }

  #lengthen(model: string, nowMs: number): Streak {
    const known = this.#streakByModel.get(model)
    const streak = known ?? { model, deathCount: 0, culpritCount: 0, lastAtMs: nowMs }
    streak.deathCount += 1
    streak.lastAtMs = nowMs
    this.#streakByModel.set(model, streak)
    return streak
  }
}

// The longer half; by name where nothing tells them apart.
function blame(repeated: readonly Streak[]): readonly BlamedModel[] {
  const otherCount = repeated.length - 1
  return repeated
    .toSorted((a, b) => b.deathCount - a.deathCount || (a.model < b.model ? -1 : 1))
    .slice(0, Math.ceil(repeated.length / 2))
    .map((streak) => {
      const { model, deathCount } = streak
      if (otherCount === 0) streak.culpritCount += 1
      const waitMs =
        otherCount === 0
          ? backOffDelayMs(streak.culpritCount, CULPRIT_BACK_OFF)
          : backOffDelayMs(deathCount, SUSPECT_BACK_OFF)
      return { model, waitMs, deathCount, otherCount }
    })
}
