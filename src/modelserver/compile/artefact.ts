import { createHash } from 'node:crypto'
import { closeSync, createReadStream, fstatSync, openSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import type { JsonObject } from '../../domain/json.ts'

/*
 * <models>/<content hash>.optimised-<key>/          one artefact; moved into place whole, read-only, never changed
 *   model.onnx                                      the optimised graph with its small tensors
 *   model.onnx.data                                 the others, each on a page of its own: plain, then rearranged
 *   manifest.json                                   sizes and hashes of both
 * <models>/<content hash>.optimised-<key>.json      what became of attempts that gave no artefact
 * <models>/<content hash>.optimised-<key>.suspect   a worker could not load it: read it in full before it is used again
 * <models>/<content hash>.optimised-<key>.unsynced  its weights are not all on the disk yet: as suspect after a crash
 */
export const MODEL_NAME = 'model.onnx'
export const WEIGHTS_NAME = 'model.onnx.data'
export const MANIFEST_NAME = 'manifest.json'

// Enough to tell a file that was never written or is another's; read at every start.
const HEAD_BYTES = 64 * 1024

/** One file of an artefact. */
export interface ArtefactFile {
  readonly name: string
  readonly bytes: number
  readonly sha256: string
  /** Of the first 64 KiB. */
  readonly headSha256: string
}

/** What an artefact says of itself. */
export interface Manifest {
  readonly version: 1
  readonly key: string
  /** Whether the weights are there rearranged as well, because batches gain from it. */
  readonly hasPrepacked: boolean
  readonly files: readonly ArtefactFile[]
  /** How it was made: for people. */
  readonly detail: JsonObject
}

/** Where the artefact of a content is. */
export function artefactPath(modelsDirectory: string, contentHash: string, key: string): string {
  return join(modelsDirectory, `${contentHash}.optimised-${key}`)
}

/** The file that tells the next optimiser to read the artefact in full. */
export function suspectPath(artefact: string): string {
  return `${artefact}.suspect`
}

/** The file that is there until the artefact is on the disk. */
export function unsyncedPath(artefact: string): string {
  return `${artefact}.unsynced`
}

/** The manifest in the folder, or `undefined` when there is none that can be read. */
export function readManifest(folder: string): Manifest | undefined {
  try {
    const parsed: unknown = JSON.parse(readFileSync(join(folder, MANIFEST_NAME), 'utf8'))
    return isManifest(parsed) ? parsed : undefined
  } catch {
    return undefined
  }
}

function isManifest(value: unknown): value is Manifest {
  if (typeof value !== 'object' || value === null || !('files' in value)) return false
  return 'version' in value && value.version === 1 && Array.isArray(value.files)
}

/** What is wrong with the artefact as far as sizes and first bytes tell; costs a millisecond. */
export function findDamage(folder: string, key: string): string | undefined {
  const manifest = readManifest(folder)
  if (manifest === undefined) return `it has no ${MANIFEST_NAME}`
  if (manifest.key !== key) return 'it was made for another processor or runtime'
  for (const { name, bytes, headSha256 } of manifest.files) {
    const head = readHead(join(folder, name))
    if (head === undefined) return `${name} is missing`
    if (head.bytes !== bytes) return `${name} has ${head.bytes} bytes instead of ${bytes}`
    if (head.sha256 !== headSha256) return `${name} begins with other bytes than were written`
  }
  return undefined
}

/** What is wrong with any byte of the artefact; reads all of it. */
export async function findDeepDamage(folder: string): Promise<string | undefined> {
  for (const { name, sha256 } of readManifest(folder)?.files ?? []) {
    const found = await hashFile(join(folder, name))
    if (found !== sha256) return `${name} holds other bytes than were written`
  }
  return undefined
}

/** Describes a file for the manifest. */
export async function describeFile(
  folder: string,
  name: string,
  knownSha256?: string,
): Promise<ArtefactFile> {
  const path = join(folder, name)
  const head = readHead(path)
  if (head === undefined) throw new Error(`${name} was not written.`)
  const sha256 = knownSha256 ?? (await hashFile(path))
  return { name, bytes: head.bytes, headSha256: head.sha256, sha256 }
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
    if (chunk instanceof Uint8Array) hash.update(chunk)
  }
  return hash.digest('hex')
}

function readHead(path: string): { readonly bytes: number; readonly sha256: string } | undefined {
  let descriptor: number
  try {
    descriptor = openSync(path, 'r')
  } catch {
    return undefined
  }
  try {
    const head = new Uint8Array(HEAD_BYTES)
    const count = readSync(descriptor, head, 0, HEAD_BYTES, 0)
    const sha256 = createHash('sha256').update(head.subarray(0, count)).digest('hex')
    return { bytes: fstatSync(descriptor).size, sha256 }
  } finally {
    closeSync(descriptor)
  }
}
