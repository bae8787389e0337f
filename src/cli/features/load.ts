import { statSync } from 'node:fs'
import { COLUMNS_MAX } from '../../domain/features/feature-file.ts'
import type { FeatureHead } from '../../domain/features/feature-file.ts'
import type { ExitReason } from '../exit-codes.ts'
import { CliFailure } from '../failure.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { readRows } from './read-rows.ts'
import type { RowFormat } from './read-rows.ts'
import { surveyRows } from './survey-rows.ts'
import { writeFeatureFile } from './write-feature-file.ts'

/** Flags of `berth features load`. */
export interface FeaturesLoadOptions {
  readonly key: string
  readonly into: string
  readonly format?: RowFormat
  readonly json?: boolean
}

/**
 * Makes a feature table of a file of rows, and puts it in place of the one before in one step. The file is read twice: what a column
 * holds is known only at its end.
 *
 * @throws CliFailure `usage`: the file cannot be read as rows, or a key is missing or there twice.
 */
export async function runFeaturesLoad(
  path: string,
  options: FeaturesLoadOptions,
  terminal: Terminal,
): Promise<ExitReason> {
  const { key, into, json = false } = options
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) {
    throw new CliFailure('usage', `${path} is no file.`)
  }
  const format = options.format ?? formatOf(path)
  using progress = terminal.startProgress(`Reading ${path}`)
  const head = await surveyRows(readRows(path, format), key)
  refuseTooMany(head)
  progress.update(`Writing ${head.rowCount} rows`)
  await writeFeatureFile(into, head, readRows(path, format))
  progress.stop()
  const columns = head.columns.map(({ name, kind }) => ({ name, kind }))
  if (json) terminal.printJson({ file: into, key: head.key, columns, rowCount: head.rowCount })
  else {
    const shown = columns.map(({ name, kind }) => `${name} (${kind})`).join(', ')
    terminal.print(`${into}: ${head.rowCount} rows by ${key} (${head.key.kind}): ${shown}`)
  }
  return 'ok'
}

function formatOf(path: string): RowFormat {
  if (path.endsWith('.csv')) return 'csv'
  if (/\.(jsonl|ndjson)$/.test(path)) return 'jsonl'
  throw new CliFailure('usage', `${path} does not say what it is: give --format csv or jsonl.`)
}

function refuseTooMany({ columns }: FeatureHead): void {
  if (columns.length < COLUMNS_MAX) return
  const what = `The file has ${columns.length + 1} columns; ${COLUMNS_MAX} are allowed.`
  throw new CliFailure('usage', what)
}
