import { isOver } from '../../domain/compilation-job.ts'
import type { Operation } from './operation.ts'
import { invalid, noSuchJob } from './refusals.ts'

/** Asks for the end of a job: its controller ends the program and then says STOPPED. */
export const stopCompilationJob: Operation<'StopCompilationJob'> = {
  name: 'StopCompilationJob',
  async run({ CompilationJobName: name }, { installation, store, clock }) {
    for (;;) {
      const job = await store.findCompilationJob(name)
      if (job === undefined) throw noSuchJob(installation, 'compilation-job', name)
      if (job.status === 'STOPPING') return {}
      if (isOver(job.status)) {
        throw invalid(`Cannot stop compilation job "${job.arn}": it is ${job.status}.`)
      }
      const stopping = { ...job, status: 'STOPPING', modifiedAtMs: clock.nowMs() } as const
      if (await store.saveCompilationJob(stopping)) return {}
    }
  },
}
