import { Buffer } from 'node:buffer'
import { Rejection } from '../rejection.ts'
import { encodeCsv } from './csv.ts'
import type { ReplyFormat, ReplyType } from './media-type.ts'
import { encodeNpy } from './npy.ts'
import { encodeNpz } from './npz.ts'
import type { Presentation } from './presentation.ts'
import { encodeRecordio } from './recordio-writer.ts'
import { nest, nestRows, textAt } from './rows.ts'
import type { JsonValue } from './rows.ts'
import type { NamedTensor } from './tensor.ts'
import { heightOf, rankClasses } from './top-classes.ts'

/** The model's outputs, in its order, and how they are to be written. */
export interface Outcome {
  readonly outputs: readonly NamedTensor[]
  readonly presentation: Presentation
  /** The request was `{"inputs": …}`: JSON answers with `outputs`, whole tensors under the model's own names. */
  readonly isColumnar: boolean
}

/**
 * Writes the reply body.
 *
 * @throws Rejection 406: npy was asked for and no output is of numbers, `top-k` of what are no classes, or what a format cannot hold.
 * @throws Rejection 500: rows were asked for and the outputs do not have the same number of rows.
 */
export function encodeReply(outcome: Outcome, { format, topCount }: ReplyType): Buffer {
  if (topCount !== undefined) return Buffer.from(topBody(outcome, format, topCount))
  switch (format) {
    case 'json':
      return Buffer.from(JSON.stringify(jsonBody(outcome)))
    case 'jsonlines':
      return Buffer.from(
        predictionsOf(outcome)
          .map((row) => `${JSON.stringify(row)}\n`)
          .join(''),
      )
    case 'csv':
      return Buffer.from(encodeCsv(csvRows(outcome)))
    case 'npy':
      return npyBody(outcome)
    case 'npz':
      return encodeNpz(renameLabels(outcome))
    case 'recordio':
      requireSameRowCount(outcome.outputs)
      return encodeRecordio(renameLabels(outcome), rowCountOf(outcome.outputs[0]))
  }
}

// Rows also where the request was columnar: what is asked for is the classes of each.
function topBody(outcome: Outcome, format: ReplyFormat, topCount: number): string {
  const { outputs, presentation } = outcome
  const { scoreName, rows } = rankClasses(outputs, presentation, topCount)
  const predictions = rows.map(({ classes }) => ({
    top: classes.map(({ label, score }) => ({ label, [scoreName]: jsonNumber(score) })),
  }))
  switch (format) {
    case 'json':
      return JSON.stringify({ predictions })
    case 'jsonlines':
      return predictions.map((row) => `${JSON.stringify(row)}\n`).join('')
    case 'csv':
      return encodeCsv(
        rows.map(({ classes }) => classes.flatMap(({ label, score }) => [label, String(score)])),
      )
    case 'npy':
    case 'npz':
    case 'recordio':
      throw new Rejection(
        406,
        `top-k is for JSON, JSON Lines and CSV; ${format} holds the whole outputs.`,
      )
  }
}

function jsonNumber(score: number): number | string {
  return Number.isFinite(score) ? score : String(score)
}

function jsonBody(outcome: Outcome): JsonValue {
  if (!outcome.isColumnar) return { predictions: predictionsOf(outcome) }
  const [first, ...others] = outcome.outputs
  if (first !== undefined && others.length === 0) return { outputs: nest(first) }
  return {
    outputs: Object.fromEntries(outcome.outputs.map((output) => [output.name, nest(output)])),
  }
}

function predictionsOf({ outputs, presentation }: Outcome): JsonValue[] {
  requireSameRowCount(outputs)
  const columns = new Map(outputs.map((output) => [output.name, nestRows(output)]))
  switch (presentation.kind) {
    case 'classes': {
      const probabilities = columns.get(presentation.probabilitiesName) ?? []
      return (columns.get(presentation.labelName) ?? []).map((label, row) => ({
        label: rename(label, presentation.renamed),
        probabilities: byClass(probabilities[row] ?? [], presentation.classNames),
      }))
    }
    case 'scores':
      return [...columns.values()].flat().map((scores) => ({
        label: highest(scores, presentation.classNames),
        scores: byClass(scores, presentation.classNames),
      }))
    case 'plain': {
      const [only, ...others] = columns.values()
      if (only !== undefined && others.length === 0) return only
      const entries = [...columns]
      return (only ?? []).map((_, row) =>
        Object.fromEntries(entries.map(([name, rows]) => [name, rows[row] ?? []])),
      )
    }
  }
}

// One line a row: the elements of every output in the model's order, so `label,p0,p1,…` for a classifier.
function csvRows({ outputs, presentation }: Outcome): string[][] {
  requireSameRowCount(outputs)
  const renamed = presentation.kind === 'classes' ? presentation.renamed : new Map<string, string>()
  const labelName = presentation.kind === 'classes' ? presentation.labelName : undefined
  return Array.from({ length: rowCountOf(outputs[0]) }, (_, row) =>
    outputs.flatMap((output) => {
      const width = output.elements.length / rowCountOf(output)
      const fields = Array.from({ length: width }, (_field, index) =>
        textAt(output, row * width + index),
      )
      return output.name === labelName ? fields.map((field) => renamed.get(field) ?? field) : fields
    }),
  )
}

// An npy file holds one array: the probabilities of a classifier, else the first output of numbers.
function npyBody({ outputs, presentation }: Outcome): Buffer {
  const preferred = presentation.kind === 'classes' ? presentation.probabilitiesName : undefined
  const candidates = outputs.toSorted(
    (left, right) => Number(right.name === preferred) - Number(left.name === preferred),
  )
  for (const { type, dims, elements } of candidates) {
    if (type !== 'string' && !Array.isArray(elements)) return encodeNpy({ type, dims, elements })
  }
  throw new Rejection(406, 'application/x-npy holds numbers, and the model gives only strings.')
}

// The outputs as they are; only labels that labels.txt names are its texts.
function renameLabels({ outputs, presentation }: Outcome): readonly NamedTensor[] {
  if (presentation.kind !== 'classes' || presentation.renamed.size === 0) return outputs
  const { labelName, renamed } = presentation
  return outputs.map((output) => {
    if (output.name !== labelName) return output
    const elements = Array.from({ length: output.elements.length }, (_, index) => {
      const label = textAt(output, index)
      return renamed.get(label) ?? label
    })
    return { ...output, type: 'string' as const, elements }
  })
}

function requireSameRowCount(outputs: readonly NamedTensor[]): void {
  if (new Set(outputs.map(rowCountOf)).size <= 1) return
  const shapes = outputs.map(({ name, dims }) => `${name} [${dims.join(', ')}]`).join(', ')
  throw new Rejection(
    500,
    `The outputs have no rows in common: ${shapes}. Send {"inputs": …} and accept JSON to get them whole.`,
  )
}

function rowCountOf(output: NamedTensor | undefined): number {
  return output?.dims[0] ?? 1
}

function rename(label: JsonValue, renamed: ReadonlyMap<string, string>): JsonValue {
  return typeof label === 'object' ? label : (renamed.get(String(label)) ?? label)
}

function byClass(row: JsonValue, classNames: readonly string[] | undefined): JsonValue {
  if (classNames === undefined || !Array.isArray(row)) return row
  return Object.fromEntries(row.map((value, index) => [classNames[index] ?? String(index), value]))
}

function highest(row: JsonValue, classNames: readonly string[]): JsonValue {
  const heights = Array.isArray(row) ? row.map((score) => heightOf(Number(score))) : []
  const index = heights.reduce((best, height, at) => (height > (heights[best] ?? 0) ? at : best), 0)
  return classNames[index] ?? String(index)
}
