import type { CompilationTarget } from '../../domain/compilation-job.ts'
import { encodeTarget } from '../../wire/sagemaker-operations.ts'
import type { Operation } from './operation.ts'
import { parseListInput } from './pages.ts'

/** Lists compilation jobs, oldest first unless told otherwise: other lists begin with the newest. */
export const listCompilationJobs: Operation<'ListCompilationJobs'> = {
  name: 'ListCompilationJobs',
  async run(input, { store }) {
    const ordered = { ...input, SortOrder: input.SortOrder ?? 'Ascending' }
    const { query, encodeToken } = parseListInput('ListCompilationJobs', ordered)
    const { items, next } = await store.listCompilationJobs(query)
    return {
      CompilationJobSummaries: items.map((job) => ({
        CompilationJobName: job.name,
        CompilationJobArn: job.arn,
        CompilationJobStatus: job.status,
        CreationTime: new Date(job.createdAtMs),
        LastModifiedTime: new Date(job.modifiedAtMs),
        CompilationStartTime: dateOf(job.startedAtMs),
        CompilationEndTime: dateOf(job.endedAtMs),
        ...summaryOf(job.target),
      })),
      NextToken: encodeToken(next),
    }
  },
}

function summaryOf(target: CompilationTarget) {
  return encodeTarget(
    target.kind === 'device'
      ? { device: target.device }
      : { os: target.os, arch: target.arch, accelerator: target.accelerator },
  )
}

function dateOf(epochMs: number | undefined): Date | undefined {
  return epochMs === undefined ? undefined : new Date(epochMs)
}
