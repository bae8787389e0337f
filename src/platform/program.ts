import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Programs of the package that are started as processes of their own, as paths below `src/` or `dist/`. */
export type ProgramName =
  | 'gateway/main'
  | 'modelserver/main'
  | 'modelserver/compile/main'
  | 'modelserver/compile/job/main'
  | 'modelserver/triton/main'

/** Folder that holds Berth's package.json. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder)
    if (parent === folder)
      throw new Error('Berth runs outside its package: no package.json above it.')
    folder = parent
  }
  return folder
}

/**
 * File to give to Node for a program of this package.
 *
 * Bundled code starts bundled programs and source starts source, wherever the bundler has put this module.
 */
export function programPath(name: ProgramName): string {
  const root = packageRoot()
  const isBundled = fileURLToPath(import.meta.url).startsWith(join(root, 'dist') + sep)
  return isBundled ? join(root, 'dist', `${name}.js`) : join(root, 'src', `${name}.ts`)
}

/** The version in package.json. */
export function packageVersion(): string {
  const parsed: unknown = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8'))
  if (typeof parsed === 'object' && parsed !== null && 'version' in parsed) {
    return String(parsed.version)
  }
  return '0.0.0'
}
