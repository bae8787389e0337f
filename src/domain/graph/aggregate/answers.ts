import type { JsonObject, JsonValue } from '../../json.ts'

/** What one branch answered. */
export interface BranchAnswer {
  readonly branch: string
  /** Positive. */
  readonly weight: number
  readonly value: JsonValue
}

/** Answers that cannot become one, in words that name the branch, what it answered and what was expected. */
export class UnfitAnswers extends Error {}

/** A branch's answer as rows, one for each instance that was asked about. */
export interface AnsweredRows {
  readonly branch: string
  readonly weight: number
  readonly rows: readonly JsonValue[]
}

/** How an answer holds its rows: an object with `predictions`, a list, or one row alone. */
export type AnswerForm = 'predictions' | 'list' | 'single'

/** The same number of rows from every branch. */
export interface AlignedAnswers {
  readonly form: AnswerForm
  readonly branches: readonly AnsweredRows[]
  readonly rowCount: number
}

/**
 * Reads answers as rows that stand side by side.
 *
 * | Answer | Rows |
 * |---|---|
 * | `{"predictions": [r, …]}` | r, … |
 * | `{"outputs": [{"shape": [n, …], "data": […]}]}`, one tensor | n rows |
 * | `[r, …]` | r, … |
 * | anything else | itself, one row |
 *
 * @throws UnfitAnswers: branches answered different numbers of rows.
 */
export function alignAnswers(answers: readonly BranchAnswer[]): AlignedAnswers {
  const read = answers.map(({ branch, weight, value }) => ({ branch, weight, ...readRows(value) }))
  const [first] = read
  if (first === undefined) throw new UnfitAnswers('No branch has answered.')
  const other = read.find(({ rows }) => rows.length !== first.rows.length)
  if (other !== undefined) {
    const counts = `${count(other.rows, 'prediction')} where branch ${first.branch} answers ${first.rows.length}`
    throw new UnfitAnswers(`Branch ${other.branch} answers ${counts}.`)
  }
  return { form: first.form, branches: read, rowCount: first.rows.length }
}

/** Puts rows into the form in which the first branch answered. */
export function formAnswer(form: AnswerForm, rows: readonly JsonValue[]): JsonValue {
  switch (form) {
    case 'predictions':
      return { predictions: rows }
    case 'list':
      return rows
    case 'single':
      return rows[0] ?? null
  }
}

/** An answer as rows. */
export function readRows(value: JsonValue): {
  readonly form: AnswerForm
  readonly rows: readonly JsonValue[]
} {
  if (isList(value)) return { form: 'list', rows: value }
  if (isObject(value)) {
    const { predictions, outputs } = value
    if (isList(predictions)) return { form: 'predictions', rows: predictions }
    const rows = readTensorRows(outputs)
    if (rows !== undefined) return { form: 'predictions', rows }
  }
  return { form: 'single', rows: [value] }
}

// Only one tensor: of several, nothing says which holds the answer.
function readTensorRows(outputs: JsonValue | undefined): readonly JsonValue[] | undefined {
  if (!isList(outputs) || outputs.length !== 1) return undefined
  const [tensor] = outputs
  if (!isObject(tensor)) return undefined
  const { shape, data } = tensor
  if (!isList(shape) || !isList(data)) return undefined
  const rowCount = shape[0]
  const flat = flatten(data)
  if (typeof rowCount !== 'number' || rowCount < 1 || flat.length % rowCount !== 0) return undefined
  const width = flat.length / rowCount
  return Array.from({ length: rowCount }, (_, row) => {
    const values = flat.slice(row * width, (row + 1) * width)
    return width === 1 ? (values[0] ?? null) : values
  })
}

function flatten(values: readonly JsonValue[]): readonly JsonValue[] {
  return values.flatMap((value) => (isList(value) ? flatten(value) : [value]))
}

/** Whether a value is a list. */
export function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value)
}

/** Whether a value is an object with names. */
export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What a value is, short enough for a sentence. */
export function describe(value: JsonValue | undefined): string {
  if (value === undefined) return 'nothing'
  if (isList(value)) return `a list of ${value.length}`
  if (isObject(value)) {
    const names = Object.keys(value)
    const shown = names.slice(0, 5).join(', ')
    return names.length === 0
      ? 'an empty object'
      : `an object of ${shown}${names.length > 5 ? ', …' : ''}`
  }
  const text = JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}

function count(rows: readonly unknown[], noun: string): string {
  return `${rows.length} ${noun}${rows.length === 1 ? '' : 's'}`
}
