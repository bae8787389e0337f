import { join } from 'node:path'
import type { CompilationOptions } from '../../../domain/compilation-options.ts'
import type { Signature } from '../../codecs/signature.ts'
import { FileSource } from '../../onnx/file-source.ts'
import { findModel } from '../../onnx/find-model.ts'
import type { ModelFiles } from '../../onnx/find-model.ts'
import { explainLoadError, invalidFile } from '../../onnx/load-failure.ts'
import { readOutline } from '../../onnx/outline.ts'
import { ProtobufError } from '../../onnx/protobuf.ts'
import { createSession } from '../../onnx/session.ts'
import type { Session } from '../../onnx/session.ts'
import { StartFailure } from '../../start-failure.ts'
import { MODEL_NAME, WEIGHTS_NAME } from '../artefact.ts'
import type { Sample } from '../compare-sessions.ts'
import { convert } from './convert.ts'
import type { ConvertFolders } from './convert.ts'
import { JobFailure } from './job-failure.ts'
import { reportOn } from './job-report.ts'
import type { JobReport, MeasuredForm } from './job-report.ts'
import { jobSamples } from './job-samples.ts'
import type { SampleSource } from './job-samples.ts'
import { measureDifferences } from './measure-difference.ts'
import type { OutputDifference } from './measure-difference.ts'
import { measureLatencies } from './measure-latency.ts'
import { bytesOf, copyOtherFiles, modelFileNames } from './model-files.ts'

/** One model to compile, and two empty folders: what is packed, and what is needed on the way. */
export interface CompileRequest extends SampleSource, ConvertFolders {
  readonly options: CompilationOptions
}

/** A model in its new form, which answers nearly as the original. */
export interface CompiledForm {
  readonly report: JobReport
  readonly signature: Signature
}

/**
 * Compiles a model and measures the result beside the original.
 *
 * @throws JobFailure, Refusal or StartFailure: words for the model's owner.
 */
export async function compileJob(request: CompileRequest): Promise<CompiledForm> {
  const { modelDirectory, outputDirectory, options } = request
  const model = await findModel(modelDirectory)
  assertNoZipMap(model)
  const original = await load(model.path, model.name)
  // Before anything is converted: shapes and samples that do not fit are quick to tell.
  const samples = await jobSamples(original, request)
  const names = modelFileNames(modelDirectory, model.name)
  copyOtherFiles(modelDirectory, outputDirectory, names)
  const converted = await convert(model.path, options, request)
  const compiledPath = join(outputDirectory, MODEL_NAME)
  const compiled = await load(compiledPath, 'the compiled model')
  const differences = await compare(samples, compiled)
  assertWithin(options.tolerance, differences)
  const latency = await measureLatencies({ before: original, after: compiled }, samples)
  const before = await measureForm(model.path, modelDirectory, names)
  const after = await measureForm(compiledPath, outputDirectory, [MODEL_NAME, WEIGHTS_NAME])
  const { signature } = original
  const sampleCount = samples.length
  const given = { options, before, after, latency, differences, sampleCount, converted }
  return { report: reportOn(given), signature }
}

// Such a model is rewritten when it is loaded, and what it is made of, trees, is not kept in tensors.
function assertNoZipMap({ path, name }: ModelFiles): void {
  using source = new FileSource(path)
  let outline: ReturnType<typeof readOutline>
  try {
    outline = readOutline(source)
  } catch (error) {
    if (!(error instanceof ProtobufError)) throw error
    throw invalidFile(name, source.read(0, 64), error.message)
  }
  if (outline === undefined) throw invalidFile(name, source.read(0, 64), 'it has no graph')
  if (outline.zipMaps.length === 0) return
  throw new JobFailure(
    `${name} ends in a ZipMap, and what is in front of one has no matrices to gain from. Serve it as it is.`,
  )
}

async function load(path: string, name: string): Promise<Session> {
  try {
    return await createSession(path)
  } catch (error) {
    throw error instanceof StartFailure ? error : explainLoadError(name, error)
  }
}

// Loaded once before, so that both find their files in memory and the runtime awake.
async function measureForm(
  path: string,
  directory: string,
  names: readonly string[],
): Promise<MeasuredForm> {
  const startedAtMs = performance.now()
  const session = await createSession(path)
  const loadMs = Number((performance.now() - startedAtMs).toFixed(2))
  await session.close()
  return { bytes: bytesOf(directory, names), loadMs }
}

async function compare(
  samples: readonly Sample[],
  compiled: Session,
): Promise<readonly OutputDifference[]> {
  const pairs = []
  for (const { inputs, outputs } of samples) {
    pairs.push([outputs, await compiled.run(inputs)] as const)
  }
  return measureDifferences(pairs)
}

function assertWithin(tolerance: number, [worst]: readonly OutputDifference[]): void {
  if (worst === undefined || worst.share <= tolerance) return
  const { output, share, largest } = worst
  throw new JobFailure(
    `The output ${output} differs from the original's by ${share.toPrecision(3)} of its largest value (${largest.toPrecision(3)} at most), more than the tolerance of ${tolerance}.`,
  )
}
