import { spawnSync } from 'node:child_process'
import { relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LoadError } from './user-module.ts'

/** Where user code lies, and which of its files have been loaded. */
export interface LoadedCode {
  readonly modelDirectory: string
  /** Where its author is to write down dependencies. */
  readonly manifestName: string
  readonly loadedPaths: readonly string[]
}

interface Place {
  readonly path: string
  readonly line: string | undefined
  readonly functionName: string | undefined
}

/** One line: where in the user's code, which error, and what to do about it. */
export function explainLoadFailure(error: unknown, code: LoadedCode): string {
  if (error instanceof LoadError) return error.message
  if (!(error instanceof Error))
    return `The model could not be loaded: ${String(error)} was thrown.`
  const where = describePlace(findPlace(error, code), code)
  const [what = ''] = error.message.split('\n').filter((line) => line.trim() !== '')
  const advice = adviceFor(error, code)
  return `The model could not be loaded${where}: ${error.name}: ${what}${advice === '' ? '' : ` ${advice}`}`
}

function describePlace(place: Place | undefined, { modelDirectory }: LoadedCode): string {
  if (place === undefined) return ''
  const line = place.line === undefined ? '' : ` line ${place.line}`
  const isNamed = place.functionName !== undefined && !place.functionName.includes('<')
  const name = isNamed ? ` (${place.functionName})` : ''
  return ` in ${relative(modelDirectory, place.path)}${line}${name}`
}

function findPlace(error: Error, code: LoadedCode): Place | undefined {
  for (const line of (error.stack ?? '').split('\n')) {
    const [, name, place] =
      /^(?:\s+at (?:(\S[^(]*) \()?)?((?:file:\/\/)?\/.+?)\)?$/.exec(line) ?? []
    const found = place === undefined ? undefined : parsePlace(place, code)
    if (found !== undefined)
      return { ...found, functionName: name?.replace(/^(async|Object\.)\s*/, '') }
  }
  const importer = / imported from (\/\S+)$/.exec(error.message)?.[1]
  if (importer !== undefined) return { path: importer, line: undefined, functionName: undefined }
  return error instanceof SyntaxError ? findSyntaxError(code) : undefined
}

function parsePlace(
  text: string,
  { modelDirectory }: LoadedCode,
): Omit<Place, 'functionName'> | undefined {
  const [, url = '', line] = /^(.+?):(\d+)(?::\d+)?$/.exec(text) ?? []
  const path = url.startsWith('file:') ? fileURLToPath(url) : url
  const isOwn =
    path.startsWith(`${modelDirectory}${sep}`) && !path.includes(`${sep}node_modules${sep}`)
  return isOwn ? { path, line } : undefined
}

// V8 keeps the place of a syntax error in a module to itself: Node tells it when it is asked about the file.
function findSyntaxError(code: LoadedCode): Place | undefined {
  for (const path of code.loadedPaths.toReversed()) {
    if (!path.startsWith(code.modelDirectory)) continue
    const { status, stderr } = spawnSync(process.execPath, ['--check', path], {
      encoding: 'utf8',
      env: {},
    })
    if (status === 0) continue
    const found = parsePlace(stderr.split('\n', 1)[0] ?? '', code)
    return { path, line: found?.line, functionName: undefined }
  }
  return undefined
}

function adviceFor(error: Error, { manifestName }: LoadedCode): string {
  const code = 'code' in error ? error.code : undefined
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX') {
    return 'Node strips types and compiles nothing: set erasableSyntaxOnly in tsconfig.json to see such places while you write.'
  }
  const name = /^Cannot find (?:package|module) '((?:@[^/']+\/)?[^/'.][^/']*)/.exec(
    error.message,
  )?.[1]
  return name === undefined ? '' : `Put ${name} into the dependencies of ${manifestName}.`
}
