import { readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import type { InputShapes } from '../../../domain/compilation-options.ts'
import { bindRequest } from '../../codecs/bind.ts'
import type { Format } from '../../codecs/media-type.ts'
import { parseRequest } from '../../codecs/request.ts'
import { describeSignature } from '../../codecs/signature.ts'
import type { Port, Signature } from '../../codecs/signature.ts'
import type { Session } from '../../onnx/session.ts'
import { withoutSourcePath } from '../../onnx/load-failure.ts'
import type { Sample } from '../compare-sessions.ts'
import { findDifference } from '../find-difference.ts'
import { sampleInputs, seededRandom } from '../sample-inputs.ts'
import { JobFailure } from './job-failure.ts'

// Open dimensions other than rows: a length of text, a side of an image. The first that the model takes is used.
const OPEN_DIMS = [8, 1, 64, 224, 256]
const ROW_COUNTS = [1, 8]
const SAMPLES_PER_ROW_COUNT = 8
const FORMATS: Readonly<Record<string, Format>> = {
  '.json': 'json',
  '.jsonl': 'jsonlines',
  '.jsonlines': 'jsonlines',
  '.csv': 'csv',
  '.npy': 'npy',
}

/** Where sample inputs come from. */
export interface SampleSource {
  readonly modelDirectory: string
  /** File of the model data with inputs; random ones when absent. */
  readonly samples: string | undefined
  readonly shapes: InputShapes
}

/**
 * Inputs with the original's answers: those of a file, or random ones of one row and of a batch.
 *
 * @throws JobFailure: they do not fit the model, or it answers the same input differently each time.
 */
export async function jobSamples(
  original: Session,
  from: SampleSource,
): Promise<readonly Sample[]> {
  assertShapesFit(from.shapes, original.signature)
  const samples =
    from.samples === undefined
      ? await randomSamples(original, from.shapes)
      : [await readSamples(original, from.modelDirectory, from.samples)]
  const [first] = samples
  const again = first && findDifference(first.outputs, await original.run(first.inputs))
  if (again !== undefined) {
    throw new JobFailure(
      `The model answers the same input differently each time, so that its answers cannot be compared: ${again}.`,
    )
  }
  return samples
}

async function readSamples(original: Session, directory: string, name: string): Promise<Sample> {
  let body: Buffer
  try {
    body = readFileSync(join(directory, name))
  } catch {
    throw new JobFailure(`The model data has no file ${name} with samples.`)
  }
  try {
    const given = parseRequest(FORMATS[extname(name)] ?? 'json', body)
    const inputs = bindRequest(given, original.signature)
    return { inputs, outputs: await original.run(inputs) }
  } catch (error) {
    throw new JobFailure(`The samples in ${name} do not fit the model: ${wordsOf(error)}`)
  }
}

async function randomSamples(original: Session, shapes: InputShapes): Promise<readonly Sample[]> {
  const dimsByName = new Map(Object.entries(shapes))
  let lastProblem = 'its inputs would be too large.'
  for (const openDim of OPEN_DIMS) {
    const samples: Sample[] = []
    try {
      for (let seed = 1; seed <= ROW_COUNTS.length * SAMPLES_PER_ROW_COUNT; seed += 1) {
        const rowCount = ROW_COUNTS[seed % ROW_COUNTS.length] ?? 1
        const shape = { rowCount, openDim, dimsByName }
        const inputs = sampleInputs(original.signature, shape, seededRandom(seed))
        if (inputs === undefined) break
        samples.push({ inputs, outputs: await original.run(inputs) })
      }
      if (samples.length > 0) return samples
    } catch (error) {
      lastProblem = wordsOf(error)
    }
  }
  throw new JobFailure(
    `The model takes none of the random inputs that were tried; give shapes in DataInputConfig, or a file of inputs as the option "samples". Its last words: ${lastProblem}`,
  )
}

function assertShapesFit(shapes: InputShapes, signature: Signature): void {
  for (const [name, dims] of Object.entries(shapes)) {
    const port = signature.inputs.find((input) => input.name === name)
    if (port !== undefined && fits(port, dims)) continue
    const given = `DataInputConfig says ${name} [${dims.join(', ')}]`
    throw new JobFailure(`${given}, and the model takes ${describeSignature(signature)}.`)
  }
}

function fits({ dims: declared }: Port, dims: readonly number[]): boolean {
  if (declared.length !== dims.length) return false
  return declared.every((dim, index) => typeof dim === 'string' || dims[index] === dim)
}

function wordsOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return withoutSourcePath(message).replaceAll(/\s+/g, ' ').slice(0, 300)
}
