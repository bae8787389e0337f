import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseLabels } from '../codecs/presentation.ts'
import { StartFailure } from '../start-failure.ts'
import type { OptimisedForm } from './optimised-form.ts'

/** The files of a model. */
export interface ModelFiles {
  /** Absolute or relative to the working directory. */
  readonly path: string
  /** Relative to the model directory, for messages. */
  readonly name: string
  /** Lines of the `labels.txt` beside the model or at the root. */
  readonly labels: readonly string[] | undefined
  /** To be loaded instead of the file at `path`, if it fits. */
  readonly optimised?: OptimisedForm | undefined
}

/** What the container contract calls the model directory; messages use it, whatever folder stands behind. */
export const MODEL_DIRECTORY = '/opt/ml/model'

// `name/1/model.onnx` is the deepest layout in use; the bound keeps a data set packed by mistake from being walked.
const DEPTH_MAX = 3
const ENTRIES_MAX = 10_000
const LISTED_MAX = 10

/**
 * Finds the model: `model.onnx` at the root, else the only `*.onnx` in it or its folders (`1/model.onnx`).
 *
 * @throws StartFailure `modelMissing`: none, or several and no telling which; names what was found.
 * @throws StartFailure `labelsInvalid`: `labels.txt` is not a list of different labels.
 */
export async function findModel(modelDirectory: string): Promise<ModelFiles> {
  const root = await listRoot(modelDirectory)
  const name = root.includes('model.onnx') ? 'model.onnx' : await findOnly(modelDirectory, root)
  const path = join(modelDirectory, name)
  const labels = await readLabels([
    join(dirname(path), 'labels.txt'),
    join(modelDirectory, 'labels.txt'),
  ])
  return { path, name, labels }
}

async function listRoot(modelDirectory: string): Promise<string[]> {
  try {
    const entries = await readdir(modelDirectory, { withFileTypes: true })
    return entries.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name)).toSorted()
  } catch {
    throw new StartFailure('modelMissing', `no model.onnx: ${MODEL_DIRECTORY} cannot be read`)
  }
}

async function findOnly(modelDirectory: string, root: readonly string[]): Promise<string> {
  const found = await findOnnxFiles(modelDirectory)
  const [only, ...others] = found
  if (only !== undefined && others.length === 0) return only
  if (only === undefined) {
    const given = root.length === 0 ? 'it is empty' : `found: ${enumerate(root)}`
    throw new StartFailure('modelMissing', `no model.onnx in ${MODEL_DIRECTORY} (${given})`)
  }
  const which = `found ${found.length} ONNX files: ${enumerate(found)}; name the one to serve model.onnx`
  throw new StartFailure('modelMissing', `no model.onnx in ${MODEL_DIRECTORY} (${which})`)
}

async function findOnnxFiles(modelDirectory: string): Promise<string[]> {
  const found: string[] = []
  let level = ['']
  let entryCount = 0
  for (let depth = 0; depth < DEPTH_MAX && level.length > 0; depth += 1) {
    const below: string[] = []
    for (const folder of level) {
      const entries = await readdir(join(modelDirectory, folder), { withFileTypes: true })
      entryCount += entries.length
      if (entryCount > ENTRIES_MAX) return found.toSorted()
      for (const entry of entries) {
        // Names with a dot are what macOS and editors leave behind (`._model.onnx`).
        if (entry.name.startsWith('.')) continue
        const path = join(folder, entry.name)
        if (entry.isDirectory()) below.push(path)
        else if (entry.name.endsWith('.onnx')) found.push(path)
      }
    }
    level = below
  }
  return found.toSorted()
}

async function readLabels(paths: readonly string[]): Promise<readonly string[] | undefined> {
  for (const path of paths) {
    const text = await readFile(path, 'utf8').catch(() => undefined)
    if (text !== undefined) return parseLabels(text)
  }
  return undefined
}

function enumerate(names: readonly string[]): string {
  const more = names.length > LISTED_MAX ? `, and ${names.length - LISTED_MAX} more` : ''
  return `${names.slice(0, LISTED_MAX).join(', ')}${more}`
}
