import { createReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'
import { extract } from 'tar-stream'
import { CliFailure } from '../failure.ts'

/** One entry of a model archive. */
export interface ArchiveEntry {
  readonly name: string
  readonly bytes: number
  /** Why the platform would refuse the archive because of this entry. */
  readonly refusal: string | undefined
}

/**
 * The entries of a `.tar.gz`, contents unread unless `visit` reads them.
 *
 * @throws CliFailure `usage`: it is no gzip tar, or it is cut off.
 */
export async function readArchiveEntries(
  path: string,
  visit?: (entry: ArchiveEntry, content: AsyncIterable<unknown>) => Promise<void>,
): Promise<ArchiveEntry[]> {
  const entries: ArchiveEntry[] = []
  const tar = extract()
  const source = createReadStream(path)
  const gunzip = createGunzip()
  source.on('error', (error) => tar.destroy(error))
  gunzip.on('error', (error) => tar.destroy(error))
  source.pipe(gunzip).pipe(tar)
  try {
    for await (const content of tar) {
      const { name, type, size } = content.header
      const entry = {
        name: name.replace(/^(\.\/)+/, ''),
        bytes: size,
        refusal: refusalOf(name, type),
      }
      if (type !== 'directory' && entry.name !== '') {
        entries.push(entry)
        if (visit !== undefined && entry.refusal === undefined) await visit(entry, content)
      }
      content.resume()
    }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new CliFailure('usage', `${path} is not a whole .tar.gz archive: ${why}.`, { cause })
  } finally {
    source.destroy()
  }
  if (entries.length === 0) throw new CliFailure('usage', `The archive ${path} holds no file.`)
  return entries
}

function refusalOf(name: string, type: string | null | undefined): string | undefined {
  if (name.startsWith('/')) return 'is an absolute path'
  if (name.split('/').includes('..')) return 'leaves the folder'
  if (type === 'symlink' || type === 'link') return 'is a link'
  if (type === 'file' || type === 'contiguous-file' || type === 'directory') return undefined
  return `is a ${type ?? 'special file'}`
}
