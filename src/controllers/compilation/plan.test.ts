import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compilationJob } from '../../../test/support/compilations.ts'
import { COMPILATION_STATUSES, isOver } from '../../domain/compilation-job.ts'
import type { CompilationJob } from '../../domain/compilation-job.ts'
import type { CompilationRun } from '../../ports/compiler.ts'
import { planCompilations } from './plan.ts'
import type { CompilationAction } from './plan.ts'

const NOW_MS = 1_000_000
const SETTINGS = { jobsMax: 1, attemptsMax: 3, machineArch: 'X86_64' }
const COMPILED = { digest: 'sha256:00', inputConfig: '{}' }

function plan(
  jobs: readonly CompilationJob[],
  runs: readonly CompilationRun[] = [],
  settings = SETTINGS,
) {
  return planCompilations({ jobs, runs, nowMs: NOW_MS }, settings)
}

/** Actions in a line: `save job FAILED, end id-job`. */
function told(actions: readonly CompilationAction[]): string {
  return actions
    .map((action) => {
      if (action.kind === 'end') return `end ${action.jobId}`
      const { name, status } = action.job
      return `${action.kind} ${name} ${status}`
    })
    .join(', ')
}

const running = (jobId: string): CompilationRun => ({ jobId, outcome: undefined })
const begun = { status: 'INPROGRESS', startedAtMs: NOW_MS - 10_000, attemptCount: 1 } as const

for (const { given, jobs, runs = [], expected, requeueAfterMs } of [
  { given: 'nothing', jobs: [], expected: '', requeueAfterMs: undefined },
  {
    given: 'a new job and a place',
    jobs: [compilationJob()],
    expected: 'save job INPROGRESS, start job INPROGRESS',
    requeueAfterMs: 60_000,
  },
  {
    given: 'a new job behind one that runs',
    jobs: [compilationJob({ name: 'a' }), compilationJob({ name: 'b', ...begun })],
    runs: [running('id-b')],
    expected: '',
    requeueAfterMs: 50_000,
  },
  {
    given: 'two new jobs: the older goes first',
    jobs: [compilationJob({ name: 'a' }), compilationJob({ name: 'b' })],
    expected: 'save a INPROGRESS, start a INPROGRESS',
    requeueAfterMs: 60_000,
  },
  {
    given: 'an interrupted job before a new one, whichever is older',
    jobs: [compilationJob({ name: 'a' }), compilationJob({ name: 'b', ...begun })],
    expected: 'save b INPROGRESS, start b INPROGRESS',
    requeueAfterMs: 60_000,
  },
  {
    given: 'a job interrupted once too often',
    jobs: [compilationJob({ ...begun, attemptCount: 3 })],
    expected: 'save job FAILED',
    requeueAfterMs: undefined,
  },
  {
    given: 'a compiled one: the record first, then the program is forgotten',
    jobs: [compilationJob(begun)],
    runs: [{ jobId: 'id-job', outcome: { kind: 'compiled', compiled: COMPILED } as const }],
    expected: 'save job COMPLETED, end id-job',
    requeueAfterMs: undefined,
  },
  {
    given: 'a failed one',
    jobs: [compilationJob(begun)],
    runs: [{ jobId: 'id-job', outcome: { kind: 'failed', reason: 'so' } as const }],
    expected: 'save job FAILED, end id-job',
    requeueAfterMs: undefined,
  },
  {
    given: 'one that takes too long: killed before it is called failed',
    jobs: [compilationJob({ ...begun, startedAtMs: NOW_MS - 60_000 })],
    runs: [running('id-job')],
    expected: 'end id-job, save job FAILED',
    requeueAfterMs: undefined,
  },
  {
    given: 'one to be stopped that runs',
    jobs: [compilationJob({ ...begun, status: 'STOPPING' })],
    runs: [running('id-job')],
    expected: 'end id-job, save job STOPPED',
    requeueAfterMs: undefined,
  },
  {
    given: 'one to be stopped that is through: stopped all the same',
    jobs: [compilationJob({ ...begun, status: 'STOPPING' })],
    runs: [{ jobId: 'id-job', outcome: { kind: 'compiled', compiled: COMPILED } as const }],
    expected: 'end id-job, save job STOPPED',
    requeueAfterMs: undefined,
  },
  {
    given: 'a stopped job gives its place to the next in the same plan',
    jobs: [
      compilationJob({ name: 'a', ...begun, status: 'STOPPING' }),
      compilationJob({ name: 'b' }),
    ],
    runs: [running('id-a')],
    expected: 'end id-a, save a STOPPED, save b INPROGRESS, start b INPROGRESS',
    requeueAfterMs: 60_000,
  },
  {
    given: 'a program whose job is gone',
    jobs: [],
    runs: [running('id-gone')],
    expected: 'end id-gone',
    requeueAfterMs: undefined,
  },
  {
    given: 'jobs that cannot be: they fail without a place',
    jobs: [
      compilationJob({ name: 'a', framework: 'KERAS' }),
      compilationJob({ name: 'b', target: { kind: 'device', device: 'ml_c6g' } }),
      compilationJob({ name: 'c', target: { kind: 'device', device: 'ml_g4dn' } }),
      compilationJob({ name: 'd', ...begun }),
    ],
    runs: [running('id-d')],
    expected: 'save a FAILED, save b FAILED, save c FAILED',
    requeueAfterMs: 50_000,
  },
]) {
  test(`given ${given}`, () => {
    const planned = plan(jobs, runs)
    assert.equal(told(planned.actions), expected)
    assert.equal(planned.requeueAfterMs, requeueAfterMs)
  })
}

test('what is saved says when, why and with what', () => {
  const outcome = { kind: 'compiled', compiled: COMPILED } as const
  const [completed] = plan([compilationJob(begun)], [{ jobId: 'id-job', outcome }]).actions
  assert.ok(completed?.kind === 'save')
  assert.deepEqual(completed.job.compiled, COMPILED)
  assert.equal(completed.job.endedAtMs, NOW_MS)
  const failure = { kind: 'failed', reason: 'x'.repeat(5000) } as const
  const [failed] = plan([compilationJob(begun)], [{ jobId: 'id-job', outcome: failure }]).actions
  assert.ok(failed?.kind === 'save')
  assert.equal(failed.job.failureReason?.length, 1024)
})

test('property: never more programs than places, none for a job that is over or stopped, no job twice', () => {
  const active = COMPILATION_STATUSES.filter((status) => !isOver(status))
  const jobs = fc.uniqueArray(
    fc.record({
      number: fc.nat(20),
      status: fc.constantFrom(...active),
      run: fc.constantFrom('none', 'running', 'over'),
      attemptCount: fc.nat(4),
    }),
    { selector: ({ number }) => number },
  )
  fc.assert(
    fc.property(jobs, fc.integer({ min: 1, max: 3 }), (given, jobsMax) => {
      const records = given.map(({ number, status, attemptCount }) =>
        compilationJob({ name: `j${number}`, status, attemptCount, startedAtMs: NOW_MS }),
      )
      const runs = given
        .filter(({ status, run }) => status === 'INPROGRESS' && run !== 'none')
        .slice(0, jobsMax)
        .map(({ number, run }): CompilationRun => ({
          jobId: `id-j${number}`,
          outcome: run === 'over' ? { kind: 'failed', reason: '' } : undefined,
        }))
      const { actions } = plan(records, runs, { ...SETTINGS, jobsMax })
      const ended = new Set(actions.flatMap((one) => (one.kind === 'end' ? one.jobId : [])))
      const started = actions.flatMap((one) => (one.kind === 'start' ? one.job.jobId : []))
      const left = runs.filter(({ jobId }) => !ended.has(jobId)).length
      assert.ok(left + started.length <= jobsMax)
      assert.equal(new Set(started).size, started.length)
      for (const jobId of started) {
        const job = records.find((one) => one.jobId === jobId)
        assert.ok(job?.status === 'STARTING' || job?.status === 'INPROGRESS')
      }
    }),
  )
})
