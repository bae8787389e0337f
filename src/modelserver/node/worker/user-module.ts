import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isDefinedModel } from '../author/model.ts'
import type { UserCodePlace } from './thread-data.ts'

/** Why there is nothing to serve, in a sentence for people. */
export class LoadError extends Error {}

/** What the module of user code exports, by name; `default` is what `defineModel` gave, if it did. */
export type UserExports = Readonly<Record<string, unknown>>

const EXTENSIONS = ['ts', 'mts', 'js', 'mjs', 'cjs', 'cts']
const NAMES_SHOWN_MAX = 8

/** Imports the module of user code. @throws LoadError there is none; whatever it throws itself. */
export async function importUserCode(place: UserCodePlace): Promise<UserExports> {
  const path = findUserCode(place)
  const namespace: object = await import(pathToFileURL(path).href)
  const named = Object.fromEntries(Object.entries(namespace))
  // The exports of CommonJS, as far as Node could not tell their names.
  const whole = named['default']
  return typeof whole === 'object' && whole !== null && !isDefinedModel(whole)
    ? { ...whole, ...named }
    : named
}

/**
 * The file of user code: the one that was named, else what `package.json` says ("exports", then "main") where that file is
 * there, else the file of the default name.
 *
 * @throws LoadError there is none.
 */
export function findUserCode(place: UserCodePlace): string {
  const { codeFolders, program, defaultProgram, modelDirectory } = place
  const names = program === undefined ? undefined : namesOf(program)
  for (const folder of codeFolders) {
    const candidates = names ?? [...declaredEntries(folder), ...namesOf(defaultProgram)]
    const found = candidates.map((name) => join(folder, name)).find(isFile)
    if (found !== undefined) return found
  }
  const shown = codeFolders
    .map((folder) => relative(modelDirectory, folder) || 'the model folder')
    .join(' or ')
  if (program !== undefined) {
    throw new LoadError(
      `${program} is named as the program, and there is no such file in ${shown}.`,
    )
  }
  const found = existsSync(modelDirectory) ? readdirSync(modelDirectory).toSorted() : []
  const shownNames = found.slice(0, NAMES_SHOWN_MAX).join(', ') || 'nothing'
  throw new LoadError(
    `There is no ${defaultProgram}.ts, .js or .mjs in ${shown}, and no package.json that names another file; found: ${shownNames}.`,
  )
}

function namesOf(program: string): readonly string[] {
  if (EXTENSIONS.some((extension) => program.endsWith(`.${extension}`))) return [program]
  return EXTENSIONS.map((extension) => `${program}.${extension}`)
}

function declaredEntries(folder: string): readonly string[] {
  const path = join(folder, 'package.json')
  if (!isFile(path)) return []
  const json: unknown = JSON.parse(readFileSync(path, 'utf8'))
  if (typeof json !== 'object' || json === null) return []
  const exported = 'exports' in json ? entryOf(json.exports) : undefined
  const main = 'main' in json && typeof json.main === 'string' ? json.main : undefined
  return [exported, main].filter((name) => name !== undefined)
}

const CONDITIONS = ['.', 'node', 'import', 'module-sync', 'default', 'require']

/** The file that "exports" names for the package itself, in Node's forms: a text, or conditions within conditions. */
function entryOf(exported: unknown): string | undefined {
  if (typeof exported === 'string') return exported
  if (typeof exported !== 'object' || exported === null) return undefined
  for (const [condition, target] of Object.entries(exported)) {
    const entry = CONDITIONS.includes(condition) ? entryOf(target) : undefined
    if (entry !== undefined) return entry
  }
  return undefined
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true
}
