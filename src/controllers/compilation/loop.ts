import { WorkQueue } from '../../platform/work-queue.ts'
import type { Log } from '../../platform/log.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Compiler } from '../../ports/compiler.ts'
import type { Store } from '../../ports/store.ts'
import { planCompilations } from './plan.ts'
import type { CompilationSettings } from './plan.ts'
import { applyPlan } from './apply.ts'

const RESYNC_INTERVAL_MS = 30_000
// Jobs share places, so that they are looked at together.
const KEY = 'jobs'

/** What the loop joins. */
export interface CompilationPorts {
  readonly store: Store
  readonly compiler: Compiler
  readonly clock: Clock
  readonly settings: CompilationSettings
  readonly log: Log
}

/** The compilation controller at work. */
export interface CompilationLoop {
  start(): void
  /** Resolves when the turn in flight is finished; programs go on. */
  stop(): Promise<void>
}

/** Moves compilation jobs on: looks when the store or a program announces something, at deadlines, and now and then. */
export function createCompilationLoop(ports: CompilationPorts): CompilationLoop {
  const { store, compiler, clock, settings, log } = ports
  const queue = new WorkQueue({
    name: 'compilation',
    clock,
    log,
    resyncIntervalMs: RESYNC_INTERVAL_MS,
    listKeys: async () => [KEY],
    async reconcile() {
      const jobs = await store.listActiveCompilationJobs()
      const runs = compiler.listRuns()
      const plan = planCompilations({ jobs, runs, nowMs: clock.nowMs() }, settings)
      const isWhole = await applyPlan(plan, { store, compiler, log })
      return isWhole ? plan.requeueAfterMs : 0
    },
  })
  const unsubscribe: (() => void)[] = []
  return {
    start() {
      const add = (): void => queue.add(KEY)
      unsubscribe.push(store.onCompilationJobChange(add), compiler.onOutcome(add))
      queue.start()
    },
    async stop() {
      for (const leave of unsubscribe) leave()
      await queue.stop()
    },
  }
}
