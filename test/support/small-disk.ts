import { execFileSync } from 'node:child_process'
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A file system of its own with little room. */
export interface SmallDisk {
  readonly path: string
  freeBytes(): number
  /** Takes all the room there is. */
  fill(): void
  /** Gives back what {@link fill} took. */
  free(): void
  remove(): void
}

/** Mounts one, or says why this machine does not let us. */
export function mountSmallDisk(sizeBytes: number): SmallDisk | { readonly refused: string } {
  const path = mkdtempSync(join(tmpdir(), 'berth-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', path], {
      stdio: 'pipe',
    })
  } catch (error) {
    rmSync(path, { recursive: true })
    return { refused: error instanceof Error ? error.message : String(error) }
  }
  const filler = join(path, 'filler')
  return {
    path,
    freeBytes: () => {
      const { bavail, bsize } = statfsSync(path)
      return bavail * bsize
    },
    fill: () => writeUntilFull(filler),
    free: () => rmSync(filler),
    remove: () => {
      execFileSync('umount', ['--lazy', path])
      rmSync(path, { recursive: true, force: true })
    },
  }
}

function writeUntilFull(file: string): void {
  const fd = openSync(file, 'a')
  // Down to the last byte: a small piece may fit where a large one did not.
  for (let sizeBytes = 1024 * 1024; sizeBytes >= 1; sizeBytes = Math.floor(sizeBytes / 16)) {
    const piece = Buffer.alloc(sizeBytes)
    while (canWrite(fd, piece));
  }
  fsyncSync(fd)
  closeSync(fd)
}

function canWrite(fd: number, piece: Buffer): boolean {
  try {
    return writeSync(fd, piece) > 0
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return false
    throw error
  }
}
