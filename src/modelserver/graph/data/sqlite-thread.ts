/** A thread that runs queries on one file of SQLite: a query that takes long keeps nobody else waiting. */
import { parentPort, workerData } from 'node:worker_threads'
import type { RowQuery } from './row-source.ts'
import { SqliteStatements } from './sqlite-rows.ts'
import type { SqliteAnswer } from './sqlite-source.ts'
import { WatchedFile } from './watched-file.ts'

const { path }: { readonly path: string } = workerData
const file = new WatchedFile(
  path,
  (database) => new SqliteStatements(database),
  // What cannot be read yet is looked at again; until then the file before it answers.
  () => undefined,
)

parentPort?.on('message', (query: RowQuery) => {
  parentPort?.postMessage(answer(query))
})

function answer(query: RowQuery): SqliteAnswer {
  try {
    return { kind: 'rows', rows: file.get().find(query) }
  } catch (error) {
    return { kind: 'failure', message: error instanceof Error ? error.message : String(error) }
  }
}
