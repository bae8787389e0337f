import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isAbsent } from './file-errors.ts'

// Source: stat(2): `st_blocks` counts these, whatever the file system's own block is.
const BLOCK_BYTES = 512

/** What a file, or a folder with all that is in it, takes of the disk; 0 when it is not there. */
export async function measureDiskBytes(path: string): Promise<number> {
  try {
    const { blocks } = await lstat(path)
    return blocks * BLOCK_BYTES + (await measureEntries(path))
  } catch (error) {
    if (isAbsent(error)) return 0
    throw error
  }
}

async function measureEntries(folder: string): Promise<number> {
  const names = await readdir(folder).catch((error: unknown) => {
    // A file.
    if (isAbsent(error)) return []
    throw error
  })
  let bytes = 0
  for (const name of names) bytes += await measureDiskBytes(join(folder, name))
  return bytes
}
