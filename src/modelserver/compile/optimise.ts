import { randomUUID } from 'node:crypto'
import { chmod, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { JsonObject } from '../../domain/json.ts'
import { writeFileAtomically } from '../../platform/atomic-file.ts'
import { findModel } from '../onnx/find-model.ts'
import { runtimeVersion } from '../onnx/session.ts'
import { artefactKey } from './artefact-key.ts'
import {
  artefactPath,
  findDamage,
  findDeepDamage,
  MANIFEST_NAME,
  MODEL_NAME,
  readManifest,
  suspectPath,
  unsyncedPath,
  WEIGHTS_NAME,
} from './artefact.ts'
import { buildArtefact } from './build-artefact.ts'
import { Refusal } from './refusal.ts'

/** What to optimise, and where the result belongs. */
export interface OptimiseRequest {
  readonly modelDirectory: string
  readonly contentHash: string
  readonly modelsDirectory: string
}

/** What the optimiser tells whoever started it, one line each; see `adapters/process/model-optimiser.ts`. */
export type OptimiserReport =
  | { readonly kind: 'optimised'; readonly directory: string; readonly detail: JsonObject }
  | { readonly kind: 'original'; readonly reason: string }
  /** After `optimised`: a full look found the artefact damaged, and it is gone. */
  | { readonly kind: 'damaged'; readonly reason: string }

/** What became of attempts that gave no artefact. */
interface Trial {
  readonly verdict: 'trying' | 'refused'
  readonly attemptCount: number
  readonly reason: string
}

// A model that ended the optimiser so often would do so again.
const ATTEMPTS_MAX = 3

/**
 * Finds the artefact of a model or makes it, and reports. What was found is then read in full: bits rot.
 *
 * Killed at any line it leaves a folder in `.incoming`, which the next start of Berth removes, and a trial on record.
 */
export async function optimise(
  request: OptimiseRequest,
  report: (line: OptimiserReport) => void,
): Promise<void> {
  const key = artefactKey(runtimeVersion())
  const path = artefactPath(request.modelsDirectory, request.contentHash, key)
  if (await isUsable(request.modelsDirectory, path, key)) {
    report(describe(path))
    const damage = await findDeepDamage(path)
    if (damage === undefined) return
    await discard(request.modelsDirectory, path)
    return report({ kind: 'damaged', reason: damage })
  }
  const reason = await build(request, path, key)
  if (reason !== undefined) return report({ kind: 'original', reason })
  report(describe(path))
  // An instance starts from the page cache; a disk takes seconds for a large model.
  await sync(join(path, WEIGHTS_NAME))
  await rm(unsyncedPath(path))
}

function describe(directory: string): OptimiserReport {
  return { kind: 'optimised', directory, detail: readManifest(directory)?.detail ?? {} }
}

async function isUsable(modelsDirectory: string, path: string, key: string): Promise<boolean> {
  if (readManifest(path) === undefined && !(await exists(path))) return false
  const isSuspect = (await exists(suspectPath(path))) || (await exists(unsyncedPath(path)))
  const damage = findDamage(path, key) ?? (isSuspect ? await findDeepDamage(path) : undefined)
  if (damage === undefined) {
    if (isSuspect) await sync(join(path, WEIGHTS_NAME))
    await removeMarks(path)
    return true
  }
  await discard(modelsDirectory, path)
  return false
}

/** @returns why there is no artefact, or `undefined` when there is one. */
async function build(
  { modelDirectory, modelsDirectory }: OptimiseRequest,
  path: string,
  key: string,
): Promise<string | undefined> {
  const trialPath = `${path}.json`
  const before = await readTrial(trialPath)
  if (before.verdict === 'refused' || before.attemptCount >= ATTEMPTS_MAX) return before.reason
  const attemptCount = before.attemptCount + 1
  const died = `the optimiser ended before it was through with it, ${attemptCount} times`
  saveTrial(trialPath, { verdict: 'trying', attemptCount, reason: died })
  const incoming = await makeIncoming(modelsDirectory)
  try {
    await buildArtefact(await findModel(modelDirectory), incoming, key)
    await install(incoming, modelsDirectory, path)
    await rm(trialPath, { force: true })
    return undefined
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const verdict = error instanceof Refusal ? 'refused' : 'trying'
    saveTrial(trialPath, { verdict, attemptCount, reason })
    return reason
  } finally {
    await rm(incoming, { recursive: true, force: true })
  }
}

async function makeIncoming(modelsDirectory: string): Promise<string> {
  const incoming = join(modelsDirectory, '.incoming', randomUUID())
  await mkdir(incoming, { recursive: true, mode: 0o700 })
  return incoming
}

async function removeMarks(path: string): Promise<void> {
  await rm(suspectPath(path), { force: true })
  await rm(unsyncedPath(path), { force: true })
}

// The small files are on the disk, the weights are marked as not; then comes the one name that makes them count.
async function install(incoming: string, modelsDirectory: string, path: string): Promise<void> {
  for (const name of [MODEL_NAME, WEIGHTS_NAME, MANIFEST_NAME]) {
    await chmod(join(incoming, name), 0o444)
  }
  await sync(incoming)
  writeFileAtomically(unsyncedPath(path), '', 0o600)
  await sync(modelsDirectory)
  await rename(incoming, path)
  await chmod(path, 0o555)
  await sync(modelsDirectory)
}

// Renamed first: whoever maps its files keeps them, and nobody finds half of it.
async function discard(modelsDirectory: string, path: string): Promise<void> {
  await chmod(path, 0o755)
  const away = await makeIncoming(modelsDirectory)
  await rename(path, join(away, 'damaged'))
  await removeMarks(path)
  await rm(away, { recursive: true })
}

async function readTrial(path: string): Promise<Trial> {
  const none: Trial = { verdict: 'trying', attemptCount: 0, reason: '' }
  const text = await readFile(path, 'utf8').catch(() => undefined)
  const parsed: unknown = text === undefined ? undefined : JSON.parse(text)
  return isTrial(parsed) ? parsed : none
}

function saveTrial(path: string, trial: Trial): void {
  writeFileAtomically(path, JSON.stringify(trial), 0o600)
}

function isTrial(value: unknown): value is Trial {
  return typeof value === 'object' && value !== null && 'verdict' in value && 'reason' in value
}

async function exists(path: string): Promise<boolean> {
  const handle = await open(path).catch(() => undefined)
  await handle?.close()
  return handle !== undefined
}

/** Of a file or a folder. */
async function sync(path: string): Promise<void> {
  const handle = await open(path)
  await handle.sync()
  await handle.close()
}
