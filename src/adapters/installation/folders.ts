import { mkdirSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'

import type { DataPaths } from '../../platform/data-paths.ts'

const LOG_BYTES_MAX = 16 * 1024 * 1024
const OWN_LOGS = ['control.log', 'gateway.log']

/** Makes the folders of a data directory, readable by their owner only; does nothing where they exist. */
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
  for (const folder of folders) mkdirSync(folder, { recursive: true, mode: 0o700 })
  for (const name of OWN_LOGS) rotateIfLarge(join(paths.logs, name))
}

// The platform's own logs grow by events, not by invocations: once per start is often enough.
function rotateIfLarge(file: string): void {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0
  if (size > LOG_BYTES_MAX) renameSync(file, `${file}.1`)
}
