import type { Rejection } from '../rejection.ts'
import { FitFailure, fitBlock, flatten } from './block.ts'
import type { Block } from './block.ts'
import type { NumericTensor } from './npy.ts'
import type { Given } from './request.ts'
import { mismatch } from './signature.ts'
import type { Port, Signature } from './signature.ts'
import { densify } from './sparse.ts'
import { countElements } from './tensor.ts'
import type { NamedTensor } from './tensor.ts'

/**
 * Matches a decoded request with the model's inputs.
 *
 * A model of one input takes rows as they are. A model of several takes JSON rows as objects by input name, or
 * any rows (CSV, npy, JSON arrays) whose values stand in the order of the inputs, as skl2onnx lays out columns.
 *
 * @throws Rejection 400: names, counts, shapes, types or ranges do not fit; the message has the signature.
 */
export function bindRequest(given: Given, signature: Signature): readonly NamedTensor[] {
  try {
    const tensors = bind(given, signature.inputs)
    if (tensors.some(({ dims }) => dims.includes(0)))
      throw new FitFailure('the request has no rows')
    return tensors
  } catch (error) {
    if (error instanceof FitFailure) throw rejectionFor(error, signature)
    throw error
  }
}

function rejectionFor(failure: FitFailure, signature: Signature): Rejection {
  return mismatch(`The request does not fit: ${failure.message}`, signature)
}

function bind(given: Given, inputs: readonly Port[]): NamedTensor[] {
  switch (given.kind) {
    case 'columns':
      return bindColumns(given.inputs, inputs)
    case 'rows':
      return bindRows(given.rows, given.isBare, inputs)
    case 'text': {
      const dims = [given.rows.length, widthOf(given.rows)]
      return bindBlock({ dims, values: given.rows.flat(), origin: 'text' }, false, inputs)
    }
    case 'array': {
      const { dims, elements } = given.array
      return bindBlock({ dims, values: elements, origin: 'numbers' }, true, inputs)
    }
    case 'arrays':
      return bindArrays(given.arrays, inputs)
    case 'sparse':
      return bindBlock(densify(given.sparse, rowWidthOf(inputs)), false, inputs)
  }
}

function bindColumns(given: unknown, inputs: readonly Port[]): NamedTensor[] {
  const leniency = { canBeOneRow: true }
  const single = inputs.length === 1 ? inputs[0] : undefined
  if (single !== undefined && !isRecord(given)) return [fitBlock(flatten(given), single, leniency)]
  if (!isRecord(given))
    throw new FitFailure('"inputs" must be an object with a member for every input')
  requireNames(Object.keys(given), inputs, '"inputs"')
  return inputs.map((port) => fitBlock(flatten(given[port.name]), port, leniency))
}

// numpy.savez calls an array that was given without a name arr_0, arr_1, … in their order.
function bindArrays(
  arrays: ReadonlyMap<string, NumericTensor>,
  inputs: readonly Port[],
): NamedTensor[] {
  const isUnnamed = [...arrays.keys()].every((name, index) => name === `arr_${index}`)
  const nameOf = ({ name }: Port, index: number): string => (isUnnamed ? `arr_${index}` : name)
  if (!isUnnamed || arrays.size !== inputs.length) {
    requireNames([...arrays.keys()], inputs, 'the npz body')
  }
  return inputs.map((port, index) => {
    const array = arrays.get(nameOf(port, index))
    if (array === undefined) throw new FitFailure(`the npz body lacks ${port.name}`)
    const block = { dims: array.dims, values: array.elements, origin: 'numbers' } as const
    return fitBlock(block, port, { canBeOneRow: true })
  })
}

function bindRows(
  rows: readonly unknown[],
  isBare: boolean,
  inputs: readonly Port[],
): NamedTensor[] {
  if (!isRecord(rows[0])) return bindBlock(flatten(rows), isBare, inputs)
  const records = rows.map((row, index) => {
    if (!isRecord(row)) throw new FitFailure(`row ${index + 1} is not an object as row 1 is`)
    requireNames(Object.keys(row), inputs, `row ${index + 1}`)
    return row
  })
  return inputs.map((port) => {
    const column = records.map((record) => record[port.name])
    return fitBlock(flatten(column), port, { canBeOneRow: false })
  })
}

function bindBlock(block: Block, canBeOneRow: boolean, inputs: readonly Port[]): NamedTensor[] {
  const single = inputs.length === 1 ? inputs[0] : undefined
  if (single !== undefined) return [fitBlock(block, single, { canBeOneRow })]
  return splitColumns(block, inputs).map((part, index) => {
    const port = inputs[index]
    if (port === undefined) throw new FitFailure('an input is missing')
    return fitBlock(part, port, { canBeOneRow: false })
  })
}

// Every input takes as many columns as one of its rows has values: 1 for [N, 1], 4 for [N, 4].
function splitColumns(block: Block, inputs: readonly Port[]): Block[] {
  const widths = inputs.map((port) => {
    const width = widthOfPort(port)
    if (width !== undefined) return width
    throw new FitFailure(
      `${port.name} has rows of no fixed size, so send JSON objects by input name`,
    )
  })
  const rowCount = block.dims[0] ?? 0
  const width = rowCount === 0 ? 0 : block.values.length / rowCount
  const expected = widths.reduce((sum, one) => sum + one, 0)
  if (width !== expected) {
    throw new FitFailure(
      `rows have ${width} values, and the inputs take ${expected} in their order`,
    )
  }
  return widths.map((columns, index) => {
    const start = widths.slice(0, index).reduce((sum, one) => sum + one, 0)
    const values = Array.from({ length: rowCount * columns }, (_, position) => {
      const row = Math.floor(position / columns)
      return block.values[row * width + start + (position % columns)]
    })
    return { dims: [rowCount, columns], values, origin: block.origin }
  })
}

/** Values in a row of all inputs; undefined when one of them leaves it open. */
function rowWidthOf(inputs: readonly Port[]): number | undefined {
  const widths = inputs.map(widthOfPort)
  return widths.every((width) => width !== undefined)
    ? widths.reduce((sum, width) => sum + width, 0)
    : undefined
}

function widthOfPort({ dims }: Port): number | undefined {
  const trailing = dims.slice(1)
  return trailing.every((dim) => typeof dim === 'number') ? countElements(trailing) : undefined
}

function widthOf(rows: readonly (readonly string[])[]): number {
  const width = rows[0]?.length ?? 0
  const odd = rows.findIndex((row) => row.length !== width)
  if (odd === -1) return width
  throw new FitFailure(`row 1 has ${width} fields and row ${odd + 1} has ${rows[odd]?.length}`)
}

function requireNames(given: readonly string[], inputs: readonly Port[], subject: string): void {
  const names = inputs.map(({ name }) => name)
  const unknown = given.filter((name) => !names.includes(name))
  if (unknown.length > 0)
    throw new FitFailure(`${subject} names ${unknown.slice(0, 10).join(', ')}, not an input`)
  const missing = names.filter((name) => !given.includes(name))
  if (missing.length > 0) throw new FitFailure(`${subject} lacks ${missing.join(', ')}`)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
