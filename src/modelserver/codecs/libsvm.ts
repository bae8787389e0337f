import { Rejection } from '../rejection.ts'
import type { SparseRows } from './sparse.ts'

const ENTRY = /^(\d{1,9}):(\S+)$/

/**
 * Parses LIBSVM text, `label index:value index:value …` a line. Labels and `qid:` are passed over, and what follows `#`.
 *
 * Source: the XGBoost image. Indices count from 1 unless a 0 is among them.
 *
 * @throws Rejection 400: an entry is not of that form; it names the line.
 */
export function parseLibsvm(text: string): SparseRows {
  const rows: number[] = []
  const columns: number[] = []
  const values: number[] = []
  let rowCount = 0
  for (const [at, line] of text.split('\n').entries()) {
    const tokens = line.replace(/#.*/, '').split(/\s+/).filter(Boolean)
    if (tokens.length === 0) continue
    for (const [position, token] of tokens.entries()) {
      if (position === 0 && isNumber(token)) continue
      if (token.startsWith('qid:')) continue
      const [, index, value = ''] = ENTRY.exec(token) ?? []
      if (index === undefined || !isNumber(value)) {
        const shown = token.slice(0, 40)
        throw new Rejection(400, `Line ${at + 1} of the body has ${shown}; LIBSVM has index:value.`)
      }
      rows.push(rowCount)
      columns.push(Number(index))
      values.push(Number(value))
    }
    rowCount += 1
  }
  const first = columns.reduce((least, column) => Math.min(least, column), Infinity)
  const shift = first >= 1 && first < Infinity ? 1 : 0
  const shifted = columns.map((column) => column - shift)
  return { rowCount, columnCount: undefined, rows, columns: shifted, values }
}

function isNumber(text: string): boolean {
  return text !== '' && (text.toLowerCase() === 'nan' || Number.isFinite(Number(text)))
}
