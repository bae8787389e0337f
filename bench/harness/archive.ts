import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { createGzip } from 'node:zlib'
import { pack } from 'tar-stream'
import type { ModelArchive } from '../../examples/digits/steps/archive.ts'

/** Model data of these files, by their paths in it. */
export async function packFiles(files: Readonly<Record<string, Buffer>>): Promise<ModelArchive> {
  const archive = pack()
  const hash = createHash('sha256')
  for (const [name, bytes] of Object.entries(files)) {
    archive.entry({ name, mtime: new Date(0) }, bytes)
    hash.update(name).update(bytes)
  }
  archive.finalize()
  const bytes = await buffer(archive.pipe(createGzip()))
  return { bytes, contentHash: hash.digest('hex').slice(0, 12) }
}
