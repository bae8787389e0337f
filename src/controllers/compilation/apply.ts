import type { Log } from '../../platform/log.ts'
import type { Compiler } from '../../ports/compiler.ts'
import type { Store } from '../../ports/store.ts'
import type { CompilationPlan } from './plan.ts'

/** What a plan may touch. */
export interface CompilationWorld {
  readonly store: Pick<Store, 'saveCompilationJob'>
  readonly compiler: Compiler
  readonly log: Log
}

/**
 * Carries a plan out, up to the first job that somebody else has written meanwhile.
 *
 * @returns whether all of it was done; otherwise the world must be looked at again.
 */
export async function applyPlan(
  { actions }: CompilationPlan,
  { store, compiler, log }: CompilationWorld,
): Promise<boolean> {
  for (const action of actions) {
    switch (action.kind) {
      case 'save': {
        if (!(await store.saveCompilationJob(action.job))) return false
        const { name, status, failureReason } = action.job
        log.info({ jobName: name, status, failureReason }, 'compilation job moved on')
        break
      }
      case 'start':
        compiler.startCompilation(action.job)
        break
      case 'end':
        await compiler.endCompilation(action.jobId)
        break
    }
  }
  return true
}
