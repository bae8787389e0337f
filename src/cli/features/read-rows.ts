import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { CsvError, parse } from 'csv-parse'
import { inferJsonKind, inferTextKind, parseText } from '../../domain/features/infer-column.ts'
import type { ColumnKind } from '../../domain/features/feature-file.ts'
import type { JsonValue } from '../../domain/json.ts'
import { CliFailure } from '../failure.ts'

/** How the rows of a file are written. */
export type RowFormat = 'csv' | 'jsonl'

/** One value of a row before its column is known. */
export interface Cell {
  readonly kind: ColumnKind | undefined
  /** The value as a column of this kind holds it; null for none. */
  readonly as: (kind: ColumnKind) => JsonValue
}

/** One row and the line where it begins, from 1. */
export interface Row {
  readonly line: number
  readonly cells: ReadonlyMap<string, Cell>
}

/** The rows of a file, one at a time. @throws CliFailure `usage`, with the line. */
export function readRows(path: string, format: RowFormat): AsyncIterable<Row> {
  return format === 'csv' ? readCsv(path) : readJsonLines(path)
}

async function* readCsv(path: string): AsyncIterable<Row> {
  const parser = parse({
    bom: true,
    columns: refuseDoubtfulNames,
    info: true,
    skip_empty_lines: true,
  })
  const source = createReadStream(path)
  source.once('error', (error) => parser.destroy(error))
  const records: AsyncIterable<CsvRecord> = source.pipe(parser)
  try {
    for await (const { record, info } of records) {
      const cells = Object.entries(record).map(([name, text]) => [name, textCell(text)] as const)
      yield { line: info.lines, cells: new Map(cells) }
    }
  } catch (error) {
    if (error instanceof CsvError) throw new CliFailure('usage', `${path}: ${error.message}.`)
    throw error
  } finally {
    source.destroy()
  }
}

interface CsvRecord {
  readonly record: Readonly<Record<string, string>>
  readonly info: { readonly lines: number }
}

function refuseDoubtfulNames(names: readonly string[]): string[] {
  const twice = names.find((name, at) => names.indexOf(name) < at)
  if (twice !== undefined) throw new CliFailure('usage', `Column ${twice} is there twice.`)
  if (names.includes('')) throw new CliFailure('usage', 'A column has no name.')
  return [...names]
}

function textCell(text: string): Cell {
  return { kind: inferTextKind(text), as: (kind) => parseText(text, kind) }
}

async function* readJsonLines(path: string): AsyncIterable<Row> {
  const source = createReadStream(path)
  let line = 0
  try {
    for await (const text of createInterface({ input: source, crlfDelay: Infinity })) {
      line += 1
      if (text.trim() === '') continue
      const cells = Object.entries(parseObject(text, `${path}, line ${line}`)).map(
        ([name, value]) => [name, jsonCell(value)] as const,
      )
      yield { line, cells: new Map(cells) }
    }
  } finally {
    source.destroy()
  }
}

function parseObject(text: string, where: string): Readonly<Record<string, JsonValue>> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new CliFailure('usage', `${where} is not JSON: ${String(error)}`)
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  throw new CliFailure('usage', `${where} is no object with a value for each column.`)
}

function jsonCell(value: JsonValue): Cell {
  return { kind: inferJsonKind(value), as: () => value }
}
