/** Not breaking: a table more. */
export const COMPILATION_JOBS = `
CREATE TABLE compilation_jobs (
  name_key TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  arn TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  modified_at_ms INTEGER NOT NULL,
  status TEXT NOT NULL,
  job_id TEXT NOT NULL,
  revision INTEGER NOT NULL,
  document TEXT NOT NULL
) STRICT;
CREATE INDEX compilation_jobs_by_creation ON compilation_jobs (created_at_ms, name_key);
CREATE INDEX compilation_jobs_by_status ON compilation_jobs (status, name_key);
`
