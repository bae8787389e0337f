import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * The folder of the package `berth` that holds this file.
 *
 * Found by walking up, because the same code runs from `examples/digits` in a checkout and bundled from `dist` in an
 * installed package.
 */
export function findPackageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!isBerthPackage(join(folder, 'package.json'))) {
    const parent = dirname(folder)
    if (parent === folder) throw new Error('No package.json named berth above the quickstart.')
    folder = parent
  }
  return folder
}

function isBerthPackage(path: string): boolean {
  return existsSync(path) && JSON.parse(readFileSync(path, 'utf8')).name === 'berth'
}
