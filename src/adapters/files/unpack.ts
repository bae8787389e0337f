import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { extract } from 'tar-stream'
import type { Extract } from 'tar-stream'
import type { ObjectBody } from '../../ports/object-store.ts'
import { systemCodeOf } from './file-errors.ts'
import { UnfitModelData } from './model-source.ts'
import { parseEntryPath } from './model-tree.ts'
import type { ModelTree } from './model-tree.ts'

const REFUSED_TYPES: Readonly<Record<string, string>> = {
  link: 'a hard link',
  symlink: 'a symbolic link',
  'character-device': 'a device',
  'block-device': 'a device',
  fifo: 'a named pipe',
}

// tar-stream has no codes; these are all the sentences of its reader.
const TAR_DAMAGED =
  /Invalid tar header|Unexpected end of data|Invalid header|Header exceeds max size|Unknown base encoding/

type Entry = Extract extends AsyncIterable<infer Item> ? Item : never

/**
 * Unpacks a gzip tar into a tree. Memory does not depend on the size of the archive.
 *
 * @throws UnfitModelData: not a gzip tar, damaged, or an entry that may not be.
 */
export async function unpackTarGz(
  body: ObjectBody,
  tree: ModelTree,
  signal: AbortSignal,
): Promise<void> {
  const entries = extract()
  const source = Readable.from(body, { objectMode: false })
  const fed = pipeline(source, createGunzip(), entries, { signal })
  const [feeding, adding] = await Promise.allSettled([fed, addEntries(entries, tree)])
  signal.throwIfAborted()
  // The entry that is refused also breaks the pipe: its sentence is the better one.
  if (adding.status === 'rejected' && adding.reason instanceof UnfitModelData) throw adding.reason
  const reasons = [feeding, adding].flatMap((end) =>
    end.status === 'rejected' ? [end.reason] : [],
  )
  if (reasons.length > 0) {
    throw inWords(reasons.find((reason) => !isPrematureClose(reason)) ?? reasons[0])
  }
}

// The other one's failure is why.
function isPrematureClose(reason: unknown): boolean {
  return systemCodeOf(reason) === 'ERR_STREAM_PREMATURE_CLOSE'
}

async function addEntries(entries: Extract, tree: ModelTree): Promise<void> {
  try {
    for await (const entry of entries) await addEntry(entry, tree)
  } catch (error) {
    entries.destroy(error instanceof Error ? error : undefined)
    throw error
  }
}

async function addEntry(entry: Entry, tree: ModelTree): Promise<void> {
  const { name, mode, type } = entry.header
  const elements = parseEntryPath(name)
  if (type === 'file' || type === 'contiguous-file') {
    // A streamx stream is iterable as node's; its types do not say so.
    const body = entry as unknown as ObjectBody
    await tree.addFile({ name, elements, isExecutable: (mode & 0o111) !== 0, body })
    return
  }
  if (type !== 'directory') {
    const what = REFUSED_TYPES[type ?? ''] ?? 'neither a file nor a folder'
    throw new UnfitModelData(`Entry "${name}" is ${what}; only files and folders are allowed.`)
  }
  await tree.addFolder(name, elements)
  entry.resume()
}

function inWords(error: unknown): unknown {
  const message = error instanceof Error ? error.message : ''
  if (systemCodeOf(error)?.startsWith('Z_') === true) {
    return new UnfitModelData(
      message === 'incorrect header check'
        ? 'It is not a gzip file; a .tar.gz is expected.'
        : `The gzip data is damaged or incomplete (${message}).`,
    )
  }
  if (TAR_DAMAGED.test(message)) {
    return new UnfitModelData('It is a gzip file, but what is in it is not a whole tar archive.')
  }
  return error
}
