import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CompilationOptions } from '../../../domain/compilation-options.ts'
import { createSession } from '../../onnx/session.ts'
import { MODEL_NAME, WEIGHTS_NAME } from '../artefact.ts'
import { placeWeights } from '../place-weights.ts'
import { flushGraph } from './flush-graph.ts'
import { halveGraph } from './halve-graph.ts'
import { quantiseGraph } from './quantise-graph.ts'
import type { QuantiseSummary } from './quantise-graph.ts'
import { weightLevelMax } from './weight-levels.ts'

// Each tensor of the file of weights takes whole pages; below a page it is in the model itself.
const WEIGHT_BYTES_MIN = 4096

/** Where to. */
export interface ConvertFolders {
  readonly outputDirectory: string
  readonly workDirectory: string
}

/** What became of the weights. */
export interface Converted extends QuantiseSummary {
  /** Largest int8 weight, which depends on the processor. */
  readonly levelMax: number | undefined
  /** Weights that became zero because they were next to it. */
  readonly flushedCount: number
}

const NONE: QuantiseSummary = { convertedCount: 0, keptCount: 0 }

/**
 * Optimises a model, converts its weights and places them on pages.
 *
 * Only what fits every processor is written: rearranging for this one is done where the model is loaded.
 *
 * @throws Refusal: there is nothing to convert.
 */
export async function convert(
  modelPath: string,
  { quantization, isPerChannel }: CompilationOptions,
  { outputDirectory, workDirectory }: ConvertFolders,
): Promise<Converted> {
  const basic = join(workDirectory, 'basic')
  const saved = join(workDirectory, 'extended')
  const changed = join(basic, 'changed.onnx')
  // Constants are folded, and operators not yet fused into such as no longer are a MatMul.
  await save(modelPath, basic, 'basic')
  const basicPath = join(basic, MODEL_NAME)
  if (quantization === 'int8-dynamic') {
    const levelMax = weightLevelMax()
    const summary = quantiseGraph(basicPath, changed, { isPerChannel, levelMax })
    await save(changed, saved, 'extended')
    place(saved, outputDirectory)
    return { ...summary, flushedCount: 0, levelMax }
  }
  const flushedCount = flushGraph(basicPath, changed)
  await save(flushedCount > 0 ? changed : basicPath, saved, 'extended')
  const savedPath = join(saved, MODEL_NAME)
  // After everything that would fold its Casts into the weights.
  const summary = quantization === 'fp16' ? halveGraph(savedPath, savedPath) : NONE
  place(saved, outputDirectory)
  return { ...summary, flushedCount, levelMax: undefined }
}

async function save(path: string, folder: string, level: 'basic' | 'extended'): Promise<void> {
  mkdirSync(folder)
  const saveTo = {
    path: join(folder, MODEL_NAME),
    weightsName: WEIGHTS_NAME,
    weightBytesMin: WEIGHT_BYTES_MIN,
  }
  // Weights that are rearranged for this processor are not wanted.
  const session = await createSession(path, { level, isPrepacked: false, saveTo })
  await session.close()
}

function place(savedFolder: string, folder: string): void {
  const weights = join(folder, WEIGHTS_NAME)
  // Without a tensor large enough there is no file of weights, and the one that is read is an empty one.
  const savedWeights = join(savedFolder, WEIGHTS_NAME)
  if (!existsSync(savedWeights)) writeFileSync(savedWeights, '')
  placeWeights({ savedFolder, folder, keepsPrepacked: false })
  if (statSync(weights).size === 0) rmSync(weights)
}
