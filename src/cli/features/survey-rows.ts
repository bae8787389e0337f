import { joinKinds } from '../../domain/features/infer-column.ts'
import type { ColumnKind, FeatureHead } from '../../domain/features/feature-file.ts'
import { CliFailure } from '../failure.ts'
import type { Row } from './read-rows.ts'

/** Learns what the columns of rows hold. Text beside numbers in a column makes it text. @throws CliFailure `usage` */
export async function surveyRows(rows: AsyncIterable<Row>, key: string): Promise<FeatureHead> {
  const kindByName = new Map<string, ColumnKind | undefined>()
  let rowCount = 0
  for await (const { line, cells } of rows) {
    rowCount += 1
    if (cells.get(key)?.kind === undefined) throw noKey(key, line, [...cells.keys()])
    for (const [name, { kind }] of cells) {
      kindByName.set(name, widen(kindByName.get(name), kind))
    }
  }
  if (rowCount === 0) throw new CliFailure('usage', 'The file has no rows.')
  const columns = [...kindByName].map(([name, kind = 'text']) => ({ name, kind }))
  const keyColumn = columns.find(({ name }) => name === key)
  if (keyColumn === undefined) throw new Error('every row has the key')
  if (keyColumn.kind === 'real' || keyColumn.kind === 'boolean' || keyColumn.kind === 'json') {
    const what = `Column ${key} holds ${keyColumn.kind}; a key is text or a whole number.`
    throw new CliFailure('usage', what)
  }
  return { key: keyColumn, columns: columns.filter(({ name }) => name !== key), rowCount }
}

function widen(a: ColumnKind | undefined, b: ColumnKind | undefined): ColumnKind | undefined {
  return joinKinds(a, b) ?? (a === undefined && b === undefined ? undefined : 'text')
}

function noKey(key: string, line: number, names: readonly string[]): CliFailure {
  const what = names.includes(key)
    ? `Line ${line} has no ${key}.`
    : `Line ${line} has no column ${key}; it has ${names.join(', ')}.`
  return new CliFailure('usage', what)
}
