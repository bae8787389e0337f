import type { Port, Signature } from './signature.ts'
import { StartFailure } from '../start-failure.ts'

/** How rows of the model's outputs are shown; decided once, when the model is loaded. */
export type Presentation =
  /** Each row is its value, or an object by output name when there are several outputs. */
  | { readonly kind: 'plain' }
  /** Two outputs: a label a row, and a probability for each class. */
  | {
      readonly kind: 'classes'
      readonly labelName: string
      readonly probabilitiesName: string
      /** Names of the classes in order; `undefined` when nobody named them. */
      readonly classNames: readonly string[] | undefined
      /** What `labels.txt` calls a label of the model; empty without that file. */
      readonly renamed: ReadonlyMap<string, string>
    }
  /** One output of scores and a `labels.txt`: the label is the class of the highest score. */
  | { readonly kind: 'scores'; readonly classNames: readonly string[] }

/** What is known beside the signature. */
export interface LabelSources {
  /** Class labels of the ZipMap node that was on an output, by that output's name. */
  readonly zipMapLabels: ReadonlyMap<string, readonly string[]>
  /** Lines of `labels.txt`. */
  readonly fileLabels: readonly string[] | undefined
}

/**
 * Decides how to show the outputs.
 *
 * A classifier is: exactly two outputs, one integer or string label a row (rank 1), and one float matrix that
 * was a ZipMap or is called probabilities, as skl2onnx and onnxmltools emit them.
 *
 * @throws StartFailure `labelsInvalid`: `labels.txt` does not fit the outputs.
 */
export function decidePresentation(signature: Signature, sources: LabelSources): Presentation {
  const { zipMapLabels, fileLabels } = sources
  const probabilities = signature.outputs.find((port) => isProbabilities(port, zipMapLabels))
  const label = signature.outputs.find(isLabel)
  if (signature.outputs.length === 2 && probabilities !== undefined && label !== undefined) {
    const modelLabels = zipMapLabels.get(probabilities.name)
    const width = modelLabels?.length ?? lastDim(probabilities)
    requireCount(fileLabels, width)
    const ownNames = modelLabels ?? fileLabels?.map((_, index) => String(index))
    return {
      kind: 'classes',
      labelName: label.name,
      probabilitiesName: probabilities.name,
      classNames: fileLabels ?? modelLabels,
      renamed: new Map(fileLabels?.map((name, index) => [ownNames?.[index] ?? '', name])),
    }
  }
  if (fileLabels === undefined) return { kind: 'plain' }
  const single = signature.outputs.length === 1 ? signature.outputs[0] : undefined
  if (single === undefined || !single.type.startsWith('float') || single.dims.length !== 2) {
    throw new StartFailure(
      'labelsInvalid',
      'labels.txt names classes, and the model has neither a label with probabilities nor one [N, classes] output of floats',
    )
  }
  requireCount(fileLabels, lastDim(single))
  return { kind: 'scores', classNames: fileLabels }
}

function isProbabilities(port: Port, zipMapLabels: ReadonlyMap<string, unknown>): boolean {
  if (zipMapLabels.has(port.name)) return true
  return port.type.startsWith('float') && port.dims.length === 2 && /probabilit/i.test(port.name)
}

function isLabel({ type, dims }: Port): boolean {
  return (type === 'int64' || type === 'int32' || type === 'string') && dims.length === 1
}

function lastDim({ dims }: Port): number | undefined {
  const last = dims.at(-1)
  return typeof last === 'number' ? last : undefined
}

function requireCount(labels: readonly string[] | undefined, classCount: number | undefined): void {
  if (labels === undefined || classCount === undefined || labels.length === classCount) return
  const counts = `has ${labels.length} labels, and the model has ${classCount} classes`
  throw new StartFailure('labelsInvalid', `labels.txt ${counts}`)
}

/**
 * Parses `labels.txt`: one label a line, in class order.
 *
 * @throws StartFailure `labelsInvalid`: no label, an empty line between labels, or a label twice.
 */
export function parseLabels(text: string): readonly string[] {
  const labels = text
    .trimEnd()
    .split('\n')
    .map((line) => line.trim())
  const empty = labels.indexOf('')
  if (empty !== -1) throw new StartFailure('labelsInvalid', `labels.txt line ${empty + 1} is empty`)
  const twice = labels.find((label, index) => labels.indexOf(label) !== index)
  if (twice !== undefined) throw new StartFailure('labelsInvalid', `labels.txt has ${twice} twice`)
  return labels
}
