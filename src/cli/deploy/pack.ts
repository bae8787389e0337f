import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { pack } from 'tar-stream'
import type { Artifact, ArtifactFile } from './artifact.ts'

// Weights hardly shrink at any level; the lowest costs least.
const GZIP_LEVEL = 1
const HASH_LENGTH = 16

/**
 * Hash of what an artifact contains: names, sizes and bytes. The same contents give the same key in the object
 * store, wherever and whenever they were packed.
 */
export async function hashArtifact(artifact: Artifact, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  const files =
    artifact.kind === 'files'
      ? artifact.files
      : [{ path: artifact.path, name: 'archive', bytes: artifact.bytes }]
  for (const file of files) {
    hash.update(`${file.name}\0${file.bytes}\0`)
    for await (const chunk of createReadStream(file.path, { signal })) hash.update(chunk)
  }
  return hash.digest('hex').slice(0, HASH_LENGTH)
}

/** The artifact as a gzip tar, streamed; the same files give the same bytes. */
export function packArtifact(artifact: Artifact): Readable {
  if (artifact.kind === 'archive') return createReadStream(artifact.path)
  const tar = pack()
  const gzip = createGzip({ level: GZIP_LEVEL })
  // A file that grows or shrinks meanwhile fails the stream; nothing may end it as if it were whole.
  tar.on('error', (error) => gzip.destroy(error))
  writeFiles(artifact.files, tar).catch((error: unknown) => {
    gzip.destroy(error instanceof Error ? error : new Error(String(error)))
  })
  return tar.pipe(gzip)
}

async function writeFiles(
  files: readonly ArtifactFile[],
  tar: ReturnType<typeof pack>,
): Promise<void> {
  for (const { path, name, bytes } of files) {
    // Nothing of this machine: no time, no owner.
    const entry = tar.entry({ name, size: bytes, mode: 0o644, mtime: new Date(0), uid: 0, gid: 0 })
    await pipeline(createReadStream(path), entry)
  }
  tar.finalize()
}
