import { decidePresentation } from '../codecs/presentation.ts'
import type { Presentation } from '../codecs/presentation.ts'
import { StartFailure } from '../start-failure.ts'
import type { ModelFiles } from './find-model.ts'
import { FileSource } from './file-source.ts'
import { explainLoadError, invalidFile } from './load-failure.ts'
import { loadMapped } from './mapped-model.ts'
import type { Note } from './mapped-model.ts'
import { readOutline } from './outline.ts'
import type { Outline } from './outline.ts'
import { ProtobufError } from './protobuf.ts'
import type { ByteSource } from './protobuf.ts'
import { createSession } from './session.ts'
import type { Session } from './session.ts'
import { withoutZipMaps } from './zipmap.ts'

/** A model ready to answer. */
export interface Model {
  readonly session: Session
  readonly presentation: Presentation
}

/**
 * Loads a model: its optimised form if there is one that fits, else the original.
 *
 * @throws StartFailure `modelInvalid`, `modelUnsupported`, `modelMissing` or `labelsInvalid`, in words.
 */
export async function loadModel(files: ModelFiles, note: Note = () => {}): Promise<Model> {
  const { optimised, labels } = files
  const session = optimised && (await loadMapped(optimised, note))
  if (session === undefined) return loadOriginal(files)
  // A model with ZipMaps is never optimised.
  const presentation = decidePresentation(session.signature, {
    zipMapLabels: new Map(),
    fileLabels: labels,
  })
  return { session, presentation }
}

async function loadOriginal({ path, name, labels }: ModelFiles): Promise<Model> {
  using source = openModel(path, name)
  const outline = outlineOf(source, name)
  // A rewritten model is loaded from bytes; weights in a file beside it would then not be found.
  const replaced = outline.zipMaps.length === 0 ? undefined : withoutZipMaps(source, outline)
  const session = await createSession(replaced ?? path).catch((error: unknown) => {
    if (error instanceof StartFailure)
      throw new StartFailure(error.reason, `${name}: ${error.message}`)
    throw explainLoadError(name, error)
  })
  const zipMapLabels = new Map(outline.zipMaps.map((zipMap) => [zipMap.outputName, zipMap.labels]))
  const presentation = decidePresentation(session.signature, { zipMapLabels, fileLabels: labels })
  return { session, presentation }
}

function openModel(path: string, name: string): FileSource {
  try {
    return new FileSource(path)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new StartFailure('modelMissing', `${name} cannot be read: ${reason.split(',')[0]}`)
  }
}

// Enough to know any look-alike by its first bytes.
const HEAD_BYTES = 64

function outlineOf(source: ByteSource, name: string): Outline {
  const head = source.read(0, HEAD_BYTES)
  try {
    const outline = readOutline(source)
    if (outline !== undefined) return outline
    throw invalidFile(name, head, 'it has no graph')
  } catch (error) {
    if (error instanceof ProtobufError) throw invalidFile(name, head, error.message)
    throw error
  }
}
