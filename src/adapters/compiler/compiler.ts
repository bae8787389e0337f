import { createReadStream, mkdirSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isBerthError } from '../../domain/errors.ts'
import { reportKeyOf } from '../../domain/compilation-job.ts'
import type { CompilationJob } from '../../domain/compilation-job.ts'
import type { ModelDataSource } from '../../domain/model.ts'
import type { Log } from '../../platform/log.ts'
import type { CompilationOutcome, Compiler } from '../../ports/compiler.ts'
import type { ObjectStore } from '../../ports/object-store.ts'
import { explainModelData, explainOutput } from './reasons.ts'
import { runProgram } from './run-program.ts'
import type { CompilerProgram } from './run-program.ts'

/** What the compiler needs. */
export interface CompilerOptions extends CompilerProgram {
  /** `<data-dir>/compilations`: one folder per job that runs; emptied at start. */
  readonly directory: string
  readonly prepareModelData: (
    source: ModelDataSource,
    signal: AbortSignal,
  ) => Promise<{ readonly directory: string; readonly contentHash: string }>
  readonly objectStore: ObjectStore
  readonly log: Log
}

/** The compiler of this machine, with what `main.ts` asks of it. */
export interface LocalCompiler extends Compiler {
  /** Model data that a running job reads. */
  contentHashesInUse(): readonly string[]
  /** Ends all jobs that run. */
  close(): Promise<void>
}

interface Run {
  readonly stopping: AbortController
  /** Resolves when its process is gone. Never rejects. */
  readonly ended: Promise<void>
  outcome: CompilationOutcome | undefined
  contentHash: string | undefined
}

/** Creates the compiler; folders of an earlier life, whose programs ended with it, are removed. */
export function createCompiler(options: CompilerOptions): LocalCompiler {
  rmSync(options.directory, { recursive: true, force: true })
  mkdirSync(options.directory, { recursive: true, mode: 0o700 })
  const runById = new Map<string, Run>()
  const listeners = new Set<() => void>()

  async function compile(job: CompilationJob, run: Pick<Run, 'contentHash'>, signal: AbortSignal) {
    const known = (contentHash: string): void => void (run.contentHash = contentHash)
    const outcome = await compileJob(job, { ...options, onModelData: known }, signal)
    options.log.info({ jobName: job.name, jobId: job.jobId, ...outcome }, 'compilation ended')
    return outcome
  }

  async function end(jobId: string): Promise<void> {
    const run = runById.get(jobId)
    run?.stopping.abort()
    await run?.ended
    runById.delete(jobId)
    await rm(join(options.directory, jobId), { recursive: true, force: true })
  }

  return {
    startCompilation(job) {
      if (runById.has(job.jobId)) return
      const stopping = new AbortController()
      const { promise: ended, resolve } = Promise.withResolvers<void>()
      const run: Run = { stopping, ended, outcome: undefined, contentHash: undefined }
      runById.set(job.jobId, run)
      void compile(job, run, stopping.signal).then((outcome) => {
        run.outcome = outcome
        resolve()
        for (const listener of listeners) listener()
      })
    },
    listRuns: () => [...runById].map(([jobId, { outcome }]) => ({ jobId, outcome })),
    endCompilation: end,
    onOutcome(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    contentHashesInUse: () => [...runById.values()].flatMap(({ contentHash }) => contentHash ?? []),
    close: async () => {
      listeners.clear()
      await Promise.all([...runById.keys()].map(end))
    },
  }
}

interface JobWorld extends CompilerOptions {
  readonly onModelData: (contentHash: string) => void
}

/** One job from model data to a stored archive. Never rejects. */
async function compileJob(
  job: CompilationJob,
  world: JobWorld,
  signal: AbortSignal,
): Promise<CompilationOutcome> {
  try {
    const modelData = await world.prepareModelData(job.source, signal)
    world.onModelData(modelData.contentHash)
    const folder = join(world.directory, job.jobId)
    mkdirSync(folder, { mode: 0o700 })
    const outcome = await runProgram(job, { ...world, modelData, folder }, signal)
    if (outcome.kind === 'compiled') await store(job, folder, world.objectStore, signal)
    return outcome
  } catch (error) {
    if (signal.aborted) return { kind: 'failed', reason: 'It was stopped.' }
    world.log.warn({ jobName: job.name, err: error }, 'compilation failed')
    return { kind: 'failed', reason: reasonOf(error, job) }
  }
}

/** The report first: whoever sees the archive finds it. */
async function store(
  { output }: CompilationJob,
  folder: string,
  objectStore: ObjectStore,
  signal: AbortSignal,
): Promise<void> {
  const report = { ...output, key: reportKeyOf(output.key) }
  try {
    await objectStore.putObject(
      {
        ...report,
        body: createReadStream(join(folder, 'report.json')),
        properties: { contentType: 'application/json' },
      },
      signal,
    )
    const body = createReadStream(join(folder, 'model.tar.gz'))
    await objectStore.putObject({ ...output, body }, signal)
  } catch (error) {
    throw explainOutput(error, output)
  }
}

function reasonOf(error: unknown, job: CompilationJob): string {
  if (isBerthError(error)) return explainModelData(error, job.source)
  return `InternalError: ${error instanceof Error ? error.message : String(error)}`
}
