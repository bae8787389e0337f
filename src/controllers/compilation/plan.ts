import { findCompilationProblem } from '../../domain/compilation-job.ts'
import type { CompilationJob } from '../../domain/compilation-job.ts'
import type { CompilationOutcome, CompilationRun } from '../../ports/compiler.ts'

// Source: SageMaker service model, `FailureReason`.
const REASON_CHARS_MAX = 1024

/** What a plan is made from. */
export interface ObservedCompilations {
  /** Those that are not over, oldest first. */
  readonly jobs: readonly CompilationJob[]
  readonly runs: readonly CompilationRun[]
  readonly nowMs: number
}

/** What the owner of the installation has decided. */
export interface CompilationSettings {
  /** Jobs that run at a time. */
  readonly jobsMax: number
  /** Starts of one job: control may end while it runs. */
  readonly attemptsMax: number
  /** `X86_64` or `ARM64`. */
  readonly machineArch: string
}

/** One step; each is safe to be the last before a crash. */
export type CompilationAction =
  | { readonly kind: 'save'; readonly job: CompilationJob }
  | { readonly kind: 'start'; readonly job: CompilationJob }
  | { readonly kind: 'end'; readonly jobId: string }

/** The steps in their order, and when to look again although nothing was announced. */
export interface CompilationPlan {
  readonly actions: readonly CompilationAction[]
  readonly requeueAfterMs: number | undefined
}

/** What happens to one job, and whether it holds a place afterwards. */
interface JobPlan {
  readonly actions: readonly CompilationAction[]
  readonly deadlineMs?: number
}

/** Plans every job at once: they share places. The same world gives the same plan. */
export function planCompilations(
  { jobs, runs, nowMs }: ObservedCompilations,
  settings: CompilationSettings,
): CompilationPlan {
  const actions: CompilationAction[] = []
  const deadlines: number[] = []
  const runById = new Map(runs.map((run) => [run.jobId, run]))
  let placeCount = settings.jobsMax
  // Those that run have their places before those that wait.
  for (const job of jobs.toSorted((a, b) => rankOf(a, runById) - rankOf(b, runById))) {
    const plan = planJob(job, runById.get(job.jobId), { nowMs, settings, hasPlace: placeCount > 0 })
    actions.push(...plan.actions)
    if (plan.deadlineMs === undefined) continue
    placeCount -= 1
    deadlines.push(plan.deadlineMs)
  }
  const ids = new Set(jobs.map(({ jobId }) => jobId))
  for (const { jobId } of runs) if (!ids.has(jobId)) actions.push({ kind: 'end', jobId })
  const nextMs = Math.min(...deadlines)
  return { actions, requeueAfterMs: deadlines.length === 0 ? undefined : nextMs - nowMs }
}

function rankOf(job: CompilationJob, runById: ReadonlyMap<string, CompilationRun>): number {
  if (runById.has(job.jobId) || job.status === 'STOPPING') return 0
  return job.status === 'INPROGRESS' ? 1 : 2
}

interface Moment {
  readonly nowMs: number
  readonly settings: CompilationSettings
  readonly hasPlace: boolean
}

function planJob(job: CompilationJob, run: CompilationRun | undefined, moment: Moment): JobPlan {
  const { nowMs } = moment
  const end: CompilationAction = { kind: 'end', jobId: job.jobId }
  if (job.status === 'STOPPING') {
    return { actions: [end, { kind: 'save', job: over(job, 'STOPPED', nowMs) }] }
  }
  if (run?.outcome !== undefined) {
    return { actions: [{ kind: 'save', job: settled(job, run.outcome, nowMs) }, end] }
  }
  if (run === undefined) return planStart(job, moment)
  const deadlineMs = (job.startedAtMs ?? nowMs) + job.maxRuntimeMs
  if (nowMs < deadlineMs) return { actions: [], deadlineMs }
  const reason = `ClientError: TimeOut: the job ran longer than its MaxRuntimeInSeconds of ${job.maxRuntimeMs / 1000}.`
  return { actions: [end, { kind: 'save', job: failed(job, reason, nowMs) }] }
}

function planStart(job: CompilationJob, { nowMs, settings, hasPlace }: Moment): JobPlan {
  const problem = findCompilationProblem(job, settings.machineArch)
  const fail = (reason: string): JobPlan => ({
    actions: [{ kind: 'save', job: failed(job, reason, nowMs) }],
  })
  if (problem !== undefined) return fail(problem)
  if (job.attemptCount >= settings.attemptsMax) {
    return fail(`InternalError: Berth ended ${job.attemptCount} times while the job ran.`)
  }
  if (!hasPlace) return { actions: [] }
  const started: CompilationJob = {
    ...job,
    status: 'INPROGRESS',
    startedAtMs: nowMs,
    modifiedAtMs: nowMs,
    attemptCount: job.attemptCount + 1,
  }
  const actions: CompilationAction[] = [
    { kind: 'save', job: started },
    { kind: 'start', job: started },
  ]
  return { actions, deadlineMs: nowMs + job.maxRuntimeMs }
}

function settled(job: CompilationJob, outcome: CompilationOutcome, nowMs: number): CompilationJob {
  if (outcome.kind === 'failed') return failed(job, outcome.reason, nowMs)
  return { ...over(job, 'COMPLETED', nowMs), compiled: outcome.compiled }
}

function failed(job: CompilationJob, reason: string, nowMs: number): CompilationJob {
  return { ...over(job, 'FAILED', nowMs), failureReason: reason.slice(0, REASON_CHARS_MAX) }
}

function over(
  job: CompilationJob,
  status: 'COMPLETED' | 'FAILED' | 'STOPPED',
  nowMs: number,
): CompilationJob {
  return { ...job, status, endedAtMs: nowMs, modifiedAtMs: nowMs }
}
