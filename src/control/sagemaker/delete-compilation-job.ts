import { isOver } from '../../domain/compilation-job.ts'
import type { Operation } from './operation.ts'
import { invalid, noSuchJob } from './refusals.ts'

/** Forgets a job that is over. What it compiled stays in the object store. */
export const deleteCompilationJob: Operation<'DeleteCompilationJob'> = {
  name: 'DeleteCompilationJob',
  async run({ CompilationJobName: name }, { installation, store }) {
    const job = await store.findCompilationJob(name)
    if (job === undefined) throw noSuchJob(installation, 'compilation-job', name)
    if (!isOver(job.status)) {
      throw invalid(
        `Cannot delete compilation job "${job.arn}": it is ${job.status}. Stop it first and wait until it is STOPPED.`,
      )
    }
    // Nobody writes to a job that is over.
    await store.removeCompilationJob(job.name, job.revision)
    return {}
  },
}
