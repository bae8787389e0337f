import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { CliFailure } from '../failure.ts'
import { textField } from '../json.ts'
import { readExternalDataNames } from './onnx-external-data.ts'
import { readArchiveEntries } from './read-archive.ts'
import type { ArchiveEntry } from './read-archive.ts'

/** One file of a model, and its name inside the archive. */
export interface ArtifactFile {
  readonly path: string
  /** Relative, with `/`. */
  readonly name: string
  readonly bytes: number
}

/** What a person pointed at. */
export type Artifact =
  /** Files that are still to be packed. */
  | { readonly kind: 'files'; readonly path: string; readonly files: readonly ArtifactFile[] }
  /** A `.tar.gz` that is uploaded as it is. */
  | {
      readonly kind: 'archive'
      readonly path: string
      readonly bytes: number
      readonly entries: readonly ArchiveEntry[]
    }

// Of tools, not of models; none is ever read by a server.
const IGNORED_NAMES = new Set(['.DS_Store', '.git', '__pycache__', '.venv', 'node_modules'])

/** Name under which `berth/onnx` finds its model. */
export const ONNX_MODEL_NAME = 'model.onnx'

/**
 * Looks at a model file, folder or archive.
 *
 * An `.onnx` file gets the name the server expects, and the files beside it that hold its weights go with it.
 *
 * @throws CliFailure `usage`: nothing there, or nothing that can be packed.
 */
export async function readArtifact(path: string): Promise<Artifact> {
  const found = await statOf(path)
  if (found.isDirectory()) {
    const files = await readFolder(path, '')
    if (files.length === 0) throw new CliFailure('usage', `The folder ${path} is empty.`)
    return { kind: 'files', path, files }
  }
  if (/\.(tar\.gz|tgz)$/i.test(path)) {
    return { kind: 'archive', path, bytes: found.size, entries: await readArchiveEntries(path) }
  }
  if (/\.onnx$/i.test(path)) {
    const model = { path, name: ONNX_MODEL_NAME, bytes: found.size }
    return { kind: 'files', path, files: [model, ...(await readExternalFiles(path))] }
  }
  throw new CliFailure('usage', `${basename(path)} is no model that Berth knows how to pack.`, {
    cure: 'Give an .onnx file, a folder with model.onnx or code/inference.py, or a .tar.gz of one.',
  })
}

/** Names inside the archive, sorted. */
export function namesOf(artifact: Artifact): readonly string[] {
  const named = artifact.kind === 'files' ? artifact.files : artifact.entries
  return named.map(({ name }) => name).toSorted()
}

/** An endpoint name from a path: its base name without extensions, in letters, digits and hyphens. */
export function nameFromPath(path: string): string {
  const base = basename(resolve(path)).replace(/\.(tar\.gz|tgz|onnx)$/i, '')
  const name = base
    .replaceAll(/[^a-zA-Z0-9]+/g, '-')
    .slice(0, 63)
    .replaceAll(/^-+|-+$/g, '')
  if (name !== '') return name
  throw new CliFailure('usage', `No endpoint name can be made of "${base}".`, {
    cure: 'Give --name.',
  })
}

async function readFolder(folder: string, prefix: string): Promise<ArtifactFile[]> {
  const names = (await readdir(folder)).filter((name) => !IGNORED_NAMES.has(name)).toSorted()
  const files: ArtifactFile[] = []
  for (const name of names) {
    const path = join(folder, name)
    // Follows links: the archive gets what they point to, because a link in it would be refused.
    const found = await statOf(path)
    if (found.isDirectory()) files.push(...(await readFolder(path, `${prefix}${name}/`)))
    else if (found.isFile()) files.push({ path, name: `${prefix}${name}`, bytes: found.size })
    else throw new CliFailure('usage', `${path} is neither a file nor a folder.`)
  }
  return files
}

async function readExternalFiles(modelPath: string): Promise<ArtifactFile[]> {
  const files: ArtifactFile[] = []
  for (const name of await readExternalDataNames(modelPath)) {
    const path = join(dirname(modelPath), name)
    files.push({ path, name, bytes: (await statOf(path)).size })
  }
  return files
}

async function statOf(path: string) {
  try {
    return await stat(path)
  } catch (cause) {
    const code = textField(cause, 'code')
    const why = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code ?? String(cause)})`
    throw new CliFailure('usage', `${path} ${why}.`, { cause })
  }
}
