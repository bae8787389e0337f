import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { createGzip } from 'node:zlib'
import { pack } from 'tar-stream'

/** Model data as SageMaker takes it. */
export interface ModelArchive {
  /** `model.tar.gz`: the model file at the top. */
  readonly bytes: Buffer
  /** Of the model file, 12 hex characters: the same model gets the same name on every run. */
  readonly contentHash: string
}

export async function packModel(modelPath: string): Promise<ModelArchive> {
  const model = await readFile(modelPath)
  const archive = pack()
  archive.entry({ name: 'model.onnx', mtime: new Date(0) }, model)
  archive.finalize()
  const bytes = await buffer(archive.pipe(createGzip()))
  return { bytes, contentHash: createHash('sha256').update(model).digest('hex').slice(0, 12) }
}
