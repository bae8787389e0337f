import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { StartFailure } from '../../start-failure.ts'

/** What user code asks to be installed. */
export interface PackageManifest {
  /** Folder with the `package.json`. */
  readonly folder: string
  /** As people know it. */
  readonly name: string
  /** Texts of `package.json` and of what may lie beside it: the lock file and npm's settings. */
  readonly textByFile: ReadonlyMap<string, string>
  /** Whether exactly what the lock file says is to be installed. */
  readonly isLocked: boolean
  /** Whether it points to files beside it. */
  readonly isLocal: boolean
  /** Packages whose install scripts may run. */
  readonly trustedPackages: readonly string[]
}

const LOCK_FILES = ['package-lock.json', 'npm-shrinkwrap.json']
// As npm has it; `~1.2.0` is a version.
const LOCAL = /^(file:|link:|[./]|~\/)/
const DEPENDENCIES = ['dependencies', 'optionalDependencies'] as const

/**
 * The first of the folders' `package.json`, if it has dependencies that are to be installed: none are where `node_modules`
 * came with the model.
 *
 * @throws StartFailure `environmentFailed`: it is not JSON.
 */
export async function findManifest(
  folders: readonly string[],
  modelDirectory: string,
): Promise<PackageManifest | undefined> {
  for (const folder of folders) {
    const path = join(folder, 'package.json')
    const text = await readFile(path, 'utf8').catch(() => undefined)
    if (text === undefined) continue
    const name = path.startsWith(modelDirectory) ? path.slice(modelDirectory.length + 1) : path
    const json = parseManifest(text, name)
    const dependencies = dependenciesOf(json)
    const isBrought =
      (await stat(join(folder, 'node_modules')).catch(() => undefined)) !== undefined
    if (dependencies.length === 0 || isBrought) return undefined
    const textByFile = new Map([['package.json', text]])
    for (const file of [...LOCK_FILES, '.npmrc']) {
      const content = await readFile(join(folder, file), 'utf8').catch(() => undefined)
      if (content !== undefined) textByFile.set(file, content)
    }
    return {
      folder,
      name,
      textByFile,
      isLocked: LOCK_FILES.some((file) => textByFile.has(file)),
      isLocal: dependencies.some(([, wanted]) => LOCAL.test(wanted)),
      trustedPackages: trustedPackagesOf(json),
    }
  }
  return undefined
}

/** Names an environment by all that decides what is in it. */
export function packagesKey({ folder, textByFile, isLocal }: PackageManifest): string {
  const { platform, arch, versions } = process
  const parts = [platform, arch, versions.modules, [...textByFile], isLocal ? folder : '']
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 24)
}

function parseManifest(text: string, name: string): object {
  try {
    const json: unknown = JSON.parse(text)
    if (typeof json === 'object' && json !== null) return json
    throw new Error('it is no object')
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new StartFailure('environmentFailed', `${name} is not valid: ${reason}`)
  }
}

function dependenciesOf(json: object): readonly (readonly [name: string, wanted: string])[] {
  return DEPENDENCIES.flatMap((kind) => {
    const named: unknown = Reflect.get(json, kind)
    if (typeof named !== 'object' || named === null) return []
    return Object.entries(named).map(([name, wanted]) => [name, String(wanted)] as const)
  })
}

// npm's own field: names, or names with versions, and whether they may.
function trustedPackagesOf(json: object): readonly string[] {
  const allowed: unknown = Reflect.get(json, 'allowScripts')
  if (typeof allowed !== 'object' || allowed === null) return []
  return Object.entries(allowed).flatMap(([name, may]) => (may === true ? [name] : []))
}
