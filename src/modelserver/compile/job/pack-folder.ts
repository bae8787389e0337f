import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { pack } from 'tar-stream'

// Weights hardly shrink at any level; the lowest costs least.
const GZIP_LEVEL = 1

/** Packs the files of a folder as a gzip tar; the same files give the same bytes. @returns the SHA-256 of the archive. */
export async function packFolder(folder: string, archivePath: string): Promise<string> {
  const tar = pack()
  const hash = createHash('sha256')
  const hashing = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      done(undefined, chunk)
    },
  })
  const target = createWriteStream(archivePath, { mode: 0o600 })
  const written = pipeline(tar, createGzip({ level: GZIP_LEVEL }), hashing, target)
  await Promise.all([written, addFiles(folder, tar)])
  return hash.digest('hex')
}

async function addFiles(folder: string, tar: ReturnType<typeof pack>): Promise<void> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted()
  for (const name of names) {
    const path = join(folder, name)
    const { size, isFile } = statOf(path)
    if (!isFile) continue
    // Nothing of this machine: no time, no owner.
    const entry = tar.entry({ name, size, mode: 0o644, mtime: new Date(0), uid: 0, gid: 0 })
    await pipeline(createReadStream(path), entry)
  }
  tar.finalize()
}

function statOf(path: string): { readonly size: number; readonly isFile: boolean } {
  const status = statSync(path)
  return { size: status.size, isFile: status.isFile() }
}
