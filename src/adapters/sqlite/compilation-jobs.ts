import type { CompilationJob } from '../../domain/compilation-job.ts'
import type { CompilationJobSummary, ListQuery, Page, Tags } from '../../ports/store.ts'
import type { Database, Row } from './database.ts'
import { listPage } from './list.ts'
import { deleteTagSet, insertTagSet } from './tags.ts'

const INSERT_JOB = `INSERT INTO compilation_jobs
  (name_key, name, arn, created_at_ms, modified_at_ms, status, job_id, revision, document)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name_key) DO NOTHING`
const FIND_JOB = 'SELECT document, revision FROM compilation_jobs WHERE name_key = ?'
const LIST_ACTIVE = `SELECT document, revision FROM compilation_jobs
  WHERE status IN ('STARTING', 'INPROGRESS', 'STOPPING') ORDER BY created_at_ms, name_key`
// The id is part of the precondition: a job of the same name made later may reach the same revision.
const SAVE_JOB = `UPDATE compilation_jobs
  SET modified_at_ms = ?, status = ?, revision = revision + 1, document = ?
  WHERE name_key = ? AND job_id = ? AND revision = ?`
const REMOVE_JOB = 'DELETE FROM compilation_jobs WHERE name_key = ? AND revision = ? RETURNING arn'

/** See `Store.insertCompilationJob`. */
export function insertCompilationJob(db: Database, job: CompilationJob, tags: Tags): boolean {
  return db.write(() => {
    const inserted = db.run(
      INSERT_JOB,
      job.name.toLowerCase(),
      job.name,
      job.arn,
      job.createdAtMs,
      job.modifiedAtMs,
      job.status,
      job.jobId,
      job.revision,
      encodeDocument(job),
    )
    if (inserted === 0) return false
    insertTagSet(db, job.arn, tags)
    return true
  })
}

/** See `Store.findCompilationJob`. */
export function findCompilationJob(db: Database, name: string): CompilationJob | undefined {
  const row = db.get(FIND_JOB, name.toLowerCase())
  return row === undefined ? undefined : toJob(row)
}

/** See `Store.listCompilationJobs`. */
export function listCompilationJobs(db: Database, query: ListQuery): Page<CompilationJobSummary> {
  return listPage(db, 'compilation_jobs', query, (row) => parseDocument(row))
}

/** See `Store.listActiveCompilationJobs`. */
export function listActiveCompilationJobs(db: Database): readonly CompilationJob[] {
  return db.all(LIST_ACTIVE).map(toJob)
}

/** See `Store.saveCompilationJob`. */
export function saveCompilationJob(db: Database, job: CompilationJob): boolean {
  return db.write(
    () =>
      db.run(
        SAVE_JOB,
        job.modifiedAtMs,
        job.status,
        encodeDocument(job),
        job.name.toLowerCase(),
        job.jobId,
        job.revision,
      ) > 0,
  )
}

/** See `Store.removeCompilationJob`. */
export function removeCompilationJob(db: Database, name: string, revision: number): boolean {
  return db.write(() => {
    const row = db.get(REMOVE_JOB, name.toLowerCase(), revision)
    if (row === undefined) return false
    deleteTagSet(db, String(row['arn']))
    return true
  })
}

function toJob(row: Row): CompilationJob {
  return { ...parseDocument(row), revision: Number(row['revision']) }
}

// Members that are undefined are not in the JSON.
function parseDocument(row: Row): CompilationJob {
  const document = JSON.parse(String(row['document'])) as CompilationJob
  const { startedAtMs, endedAtMs, failureReason, compiled } = document
  return { ...document, startedAtMs, endedAtMs, failureReason, compiled }
}

// The revision is a column alone, so that it cannot contradict itself.
function encodeDocument(job: CompilationJob): string {
  return JSON.stringify({ ...job, revision: undefined })
}
