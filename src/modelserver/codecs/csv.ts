import { Rejection } from '../rejection.ts'

/**
 * Rows of CSV text: comma-separated, fields in double quotes may hold commas, line ends and doubled quotes.
 *
 * Line ends are LF, CRLF or CR. Blank lines are skipped, except that a line of one empty quoted field is a row.
 * No header is assumed: the first line is a row like any other.
 *
 * @throws Rejection 400: a quote is not closed, or text follows a closing quote.
 */
export function parseCsv(text: string): string[][] {
  // Quotes are rare in numbers: without them the rows are a split, several times faster than the scanner.
  if (!text.includes('"')) {
    return text.split(/\r\n|\n|\r/).flatMap((line) => (line === '' ? [] : [line.split(',')]))
  }
  return scanRows(text)
}

function scanRows(text: string): string[][] {
  const rows: string[][] = []
  let position = 0
  while (position < text.length) {
    const row: string[] = []
    const start = position
    for (;;) {
      const field =
        text[position] === '"'
          ? quotedField(text, position, rows.length + 1)
          : bareField(text, position)
      row.push(field.value)
      position = field.end
      if (text[position] !== ',') break
      position += 1
    }
    if (position > start) rows.push(row)
    position += text.startsWith('\r\n', position) ? 2 : 1
  }
  return rows
}

interface Field {
  readonly value: string
  /** Index of the comma or line end after the field, or the text's length. */
  readonly end: number
}

function bareField(text: string, start: number): Field {
  let end = start
  while (end < text.length && !isDelimiter(text[end])) end += 1
  return { value: text.slice(start, end), end }
}

function quotedField(text: string, start: number, row: number): Field {
  let end = text.indexOf('"', start + 1)
  while (end !== -1 && text[end + 1] === '"') end = text.indexOf('"', end + 2)
  if (end === -1) throw new Rejection(400, `CSV row ${row} has a quote that is not closed.`)
  if (end + 1 < text.length && !isDelimiter(text[end + 1])) {
    throw new Rejection(400, `CSV row ${row} has text after a closing quote.`)
  }
  return { value: text.slice(start + 1, end).replaceAll('""', '"'), end: end + 1 }
}

function isDelimiter(character: string | undefined): boolean {
  return character === ',' || character === '\n' || character === '\r'
}

/** CSV text of rows, each ended by LF; a field is quoted where it must be. */
export function encodeCsv(rows: readonly (readonly string[])[]): string {
  return rows.map((row) => `${row.map(encodeField).join(',')}\n`).join('')
}

function encodeField(field: string, _index: number, row: readonly string[]): string {
  if (/[",\r\n]/.test(field)) return `"${field.replaceAll('"', '""')}"`
  // A row of one empty field would read back as a blank line.
  return field === '' && row.length === 1 ? '""' : field
}
