import { mkdirSync, renameSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

import type { DataPaths } from '../../platform/data-paths.ts'

const LOG_BYTES_MAX = 16 * 1024 * 1024
const OWN_LOGS = ['control.log', 'gateway.log']

/**
 * Makes the folders of a data directory, readable by their owner only; does nothing where they exist.
 *
 * @throws Error in words: one of them cannot be made.
 */
export function prepareFolders(paths: DataPaths): void {
  const folders = [
    paths.dataDir,
    paths.objects,
    paths.models,
    paths.logs,
    paths.run,
    paths.instances,
    paths.gateways,
  ]
  for (const folder of folders) prepareFolder(folder, paths.dataDir)
  for (const name of OWN_LOGS) rotateIfLarge(join(paths.logs, name))
}

function prepareFolder(folder: string, dataDir: string): void {
  try {
    makeFolders(folder)
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
    throw new Error(
      `The data directory ${dataDir} cannot be used (${code}): ${reasonOf(code)}. Choose another with --data-dir.`,
      { cause },
    )
  }
}

// One by one: Node's recursive mkdir tries for ever where a folder that is there says of a new one in it that it is not, as /proc does.
function makeFolders(folder: string): void {
  if (isFolder(folder)) return
  const parent = dirname(folder)
  if (parent !== folder) makeFolders(parent)
  try {
    mkdirSync(folder, { mode: 0o700 })
  } catch (error) {
    // Another process may have made it meanwhile.
    if (!isFolder(folder)) throw error
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

function reasonOf(code: string): string {
  switch (code) {
    case 'EEXIST':
    case 'ENOTDIR':
      return 'a file is where it, or a folder of it, should be'
    case 'EACCES':
    case 'EPERM':
      return 'you have no right to write there'
    case 'EROFS':
    // Node says so of a folder that is to be made on a read-only disk.
    case 'ENOENT':
      return 'nothing can be written there'
    case 'ENOSPC':
      return 'its disk is full'
    default:
      return 'its folders cannot be made'
  }
}

// The platform's own logs grow by events, not by invocations: once per start is often enough.
function rotateIfLarge(file: string): void {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0
  if (size > LOG_BYTES_MAX) renameSync(file, `${file}.1`)
}
