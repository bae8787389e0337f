import { existsSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ModelFiles } from '../onnx/find-model.ts'
import { FileSource } from '../onnx/file-source.ts'
import { readOutline } from '../onnx/outline.ts'
import { createSession } from '../onnx/session.ts'
import type { Session } from '../onnx/session.ts'
import { describeFile, MANIFEST_NAME, MODEL_NAME, WEIGHTS_NAME } from './artefact.ts'
import type { Manifest } from './artefact.ts'
import { assertSameOutputs, measureRunMs, sampleOutputs } from './compare-sessions.ts'
import type { Sample } from './compare-sessions.ts'
import { placeWeights } from './place-weights.ts'
import type { PlacedWeights } from './place-weights.ts'
import { Refusal } from './refusal.ts'

// Each tensor of the file of weights is a mapping of its own and takes whole pages; below a page it is copied instead.
const WEIGHT_BYTES_MIN = 4096

// Below this much that can be mapped, plain loading is as quick. Measured by bench/cold-start.ts: an inline model loads
// in about 3 ms a megabyte, and a new worker needs more than 20 ms in any case.
const MAPPED_BYTES_MIN = 4 * 1024 * 1024

// Rearranged weights double the artefact; a batch must gain this much from them.
const PREPACKED_GAIN_MIN = 0.1

/**
 * Makes the artefact of a model in an empty folder: optimised by ONNX Runtime, its weights placed on pages, loaded
 * again both ways and compared with the original.
 *
 * @throws Refusal: the model has nothing to gain, or its optimised form is not the same model.
 */
export async function buildArtefact(
  model: ModelFiles,
  folder: string,
  key: string,
): Promise<Manifest> {
  assertNoZipMap(model.path)
  const savedFolder = join(folder, 'saved')
  await mkdir(savedFolder)
  const startedAtMs = performance.now()
  const original = await createSession(model.path, {
    saveTo: {
      path: join(savedFolder, MODEL_NAME),
      weightsName: WEIGHTS_NAME,
      weightBytesMin: WEIGHT_BYTES_MIN,
    },
  })
  const optimiseMs = Math.round(performance.now() - startedAtMs)
  const samples = await sampleOutputs(original)
  let placed = place(savedFolder, folder, true)
  const compareStartedAtMs = performance.now()
  const { gain } = await compare(original, samples, { folder, placed })
  const hasPrepacked = gain >= PREPACKED_GAIN_MIN
  if (!hasPrepacked && placed.prepackedBytes > 0) placed = place(savedFolder, folder, false)
  await original.close()
  await rm(savedFolder, { recursive: true })
  const compareMs = Math.round(performance.now() - compareStartedAtMs)
  const { sha256, ...sizes } = placed
  const detail = { ...sizes, batchGain: Number(gain.toFixed(2)), optimiseMs, compareMs }
  const files = [
    await describeFile(folder, MODEL_NAME),
    await describeFile(folder, WEIGHTS_NAME, sha256),
  ]
  const manifest: Manifest = { version: 1, key, hasPrepacked, files, detail }
  await writeFile(join(folder, MANIFEST_NAME), JSON.stringify(manifest), { flush: true })
  return manifest
}

// Such a model is rewritten when it is loaded, and what it is made of, trees, is not kept in tensors.
function assertNoZipMap(path: string): void {
  using source = new FileSource(path)
  if ((readOutline(source)?.zipMaps.length ?? 0) === 0) return
  throw new Refusal('it ends in a ZipMap, which is taken out when it is loaded')
}

function place(savedFolder: string, folder: string, keepsPrepacked: boolean): PlacedWeights {
  // Without a tensor large enough there is no file of weights.
  const hasWeights = existsSync(join(savedFolder, WEIGHTS_NAME))
  const none = { plainBytes: 0, prepackedBytes: 0, sha256: '' }
  const placed = hasWeights ? placeWeights({ savedFolder, folder, keepsPrepacked }) : none
  if (placed.plainBytes >= MAPPED_BYTES_MIN) return placed
  throw new Refusal(`only ${placed.plainBytes} bytes of it are weights that can be mapped`)
}

interface Candidate {
  readonly folder: string
  readonly placed: PlacedWeights
}

/** Loads the artefact as workers will, plain and rearranged. @returns the share of a batch's time that is saved. */
async function compare(
  original: Session,
  samples: readonly Sample[],
  { folder, placed }: Candidate,
): Promise<{ readonly gain: number }> {
  const plainMs = await measure(original, samples, join(folder, MODEL_NAME), false)
  if (placed.prepackedBytes === 0) return { gain: 0 }
  const prepackedMs = await measure(original, samples, join(folder, MODEL_NAME), true)
  return { gain: 1 - prepackedMs / plainMs }
}

async function measure(
  original: Session,
  samples: readonly Sample[],
  path: string,
  isPrepacked: boolean,
): Promise<number> {
  const candidate = await createSession(path, { isPrepacked })
  await assertSameOutputs(original, samples, candidate)
  const runMs = await measureRunMs(candidate, samples)
  await candidate.close()
  return runMs
}
