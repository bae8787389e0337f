import type { CompilationJob, CompiledModel } from '../domain/compilation-job.ts'

/** What came of a job's program. */
export type CompilationOutcome =
  | { readonly kind: 'compiled'; readonly compiled: CompiledModel }
  /** In the words of a FailureReason. */
  | { readonly kind: 'failed'; readonly reason: string }

/** A job that was started in this life of control and not ended since. */
export interface CompilationRun {
  readonly jobId: string
  /** Undefined while it runs. */
  readonly outcome: CompilationOutcome | undefined
}

/**
 * Compiles models, each in a process of its own. It remembers nothing over a restart: whoever started a job starts it
 * again, which gives the same archive under the same key.
 */
export interface Compiler {
  /** Begins; returns at once. The archive and its report are stored before the outcome is `compiled`. */
  startCompilation(job: CompilationJob): void
  listRuns(): readonly CompilationRun[]
  /** Kills what still runs, removes what it left on the disk and forgets it. Idempotent; an unknown job is fine. */
  endCompilation(jobId: string): Promise<void>
  /** Calls the listener after an outcome is known; returns its removal. */
  onOutcome(listener: () => void): () => void
}
