import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createWriteStream } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { formatBytes } from '../../platform/format-bytes.ts'
import { namesOf, ONNX_MODEL_NAME, readArtifact } from '../deploy/artifact.ts'
import type { Artifact } from '../deploy/artifact.ts'
import { chooseImage } from '../deploy/choose-image.ts'
import { readArchiveEntries } from '../deploy/read-archive.ts'
import { toFailure } from '../failure.ts'
import { error, ok } from './finding.ts'
import type { Finding } from './finding.ts'
import { tryModelServer } from './try-model-server.ts'

// An identity of one float: the smallest model that shows that ONNX Runtime works on this machine.
const TINY_MODEL =
  'CAg6OgoQCgF4EgF5IghJZGVudGl0eRIEdGlueVoPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAFCAhAN'

/** What a model file, folder or archive holds and whether it loads; without a path, whether ONNX Runtime does. */
export async function describeModel(path: string | undefined): Promise<Finding[]> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-doctor-'))
  try {
    return path === undefined
      ? await describeOnnxRuntime(folder)
      : await describeArtifact(path, folder)
  } catch (caught) {
    const { message, cure } = toFailure(caught)
    return [error(path ?? 'onnx runtime', message, cure)]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function describeOnnxRuntime(folder: string): Promise<Finding[]> {
  await writeFile(join(folder, ONNX_MODEL_NAME), Buffer.from(TINY_MODEL, 'base64'))
  const result = await tryModelServer(folder)
  if (result.kind === 'loaded') return [ok('onnx runtime', 'It loads and runs.')]
  const cure = 'Install Berth again; on Linux it needs glibc (not musl).'
  return [error('onnx runtime', `It does not load: ${result.reason}`, cure)]
}

async function describeArtifact(path: string, folder: string): Promise<Finding[]> {
  const artifact = await readArtifact(path)
  const names = namesOf(artifact)
  const entries = artifact.kind === 'files' ? artifact.files : artifact.entries
  const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0)
  const kind = artifact.kind === 'archive' ? 'archive' : 'model'
  const findings = [
    ok(
      kind,
      `${names.length} ${names.length === 1 ? 'file' : 'files'}, ${formatBytes(bytes)} unpacked.`,
    ),
  ]
  const refused = describeRefusals(artifact)
  if (refused.length > 0) return [...findings, ...refused]
  const image = chooseImage(names)
  findings.push(ok('image', `${image} serves it.`))
  // Its packages may take minutes to install: whether it loads is seen when it is deployed.
  if (image === 'berth/python' || image === 'berth/node') return findings
  await unpack(artifact, folder)
  const result = await tryModelServer(folder)
  if (result.kind === 'loaded')
    return [...findings, ok('onnx runtime', `It loads; ${result.signature}.`)]
  return [...findings, error('onnx runtime', result.reason, 'Export the model again, then repeat.')]
}

function describeRefusals(artifact: Artifact): Finding[] {
  if (artifact.kind === 'files') return []
  return artifact.entries
    .filter(({ refusal }) => refusal !== undefined)
    .map(({ name, refusal }) =>
      error('archive', `${name} ${refusal}, so the archive would be refused.`, 'Pack plain files.'),
    )
}

/** Lays the files out as an instance would find them; plain files are linked by the copy where the disk can. */
async function unpack(artifact: Artifact, folder: string): Promise<void> {
  if (artifact.kind === 'files') {
    for (const file of artifact.files) await cp(file.path, join(folder, file.name), { mode: 2 })
    return
  }
  await readArchiveEntries(artifact.path, async ({ name }, content) => {
    const path = join(folder, name)
    await mkdir(dirname(path), { recursive: true })
    await pipeline(Readable.from(content), createWriteStream(path))
  })
}
