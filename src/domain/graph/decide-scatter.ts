import type { WaitFor } from './graph.ts'

/** How far a scatter is. */
export interface ScatterProgress {
  readonly answeredCount: number
  readonly failedCount: number
  readonly outstandingCount: number
  readonly quorum: number
  readonly waitFor: WaitFor
  /** No branch that is outstanding could change the outcome. */
  readonly isDecided: boolean
  readonly isDeadlinePassed: boolean
}

/** What is to be done now. */
export type ScatterVerdict = 'wait' | 'answer' | 'fail'

/**
 * Whether a scatter answers now.
 *
 * | quorum answered | still reachable | outstanding | deadline passed | verdict |
 * |---|---|---|---|---|
 * | yes | – | none | – | answer |
 * | yes | – | some | yes | answer |
 * | yes | – | some | no | answer when waiting for the quorum, or for a decision that is made; else wait |
 * | no | yes | some | no | wait |
 * | no | no, or deadline passed | – | – | fail, at once: what is outstanding cannot help |
 */
export function decideScatter(progress: ScatterProgress): ScatterVerdict {
  const { answeredCount, outstandingCount, quorum, waitFor, isDecided, isDeadlinePassed } = progress
  if (answeredCount < quorum) {
    const isReachable = answeredCount + outstandingCount >= quorum && !isDeadlinePassed
    return isReachable ? 'wait' : 'fail'
  }
  if (outstandingCount === 0 || isDeadlinePassed || waitFor === 'quorum') return 'answer'
  return waitFor === 'decision' && isDecided ? 'answer' : 'wait'
}
