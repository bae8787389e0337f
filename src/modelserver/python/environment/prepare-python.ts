import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { StartFailure } from '../../start-failure.ts'
import { findInterpreter } from './interpreter.ts'
import type { Interpreter } from './interpreter.ts'
import { makeEnvironment } from './make-environment.ts'
import type { PreparePythonOptions } from './preparation.ts'
import { environmentKey } from './requirements.ts'
import type { Requirements } from './requirements.ts'
import { InstallError } from '../../user-code/run-installer.ts'
import { useEnvironment } from './use-environment.ts'

/** What every environment has. */
const BASE: Requirements = { packages: ['numpy'], file: undefined }

/**
 * Finds or makes the Python environment for these requirements.
 *
 * Each is a virtual environment named by a hash of what is in it, made once and shared by all instances that need the
 * same. Packages of the base are seen from the others, so NumPy is installed once.
 *
 * @returns Python's executable in it.
 * @throws StartFailure `pythonMissing` or `environmentFailed`, with the installer's words.
 */
export async function preparePython(options: PreparePythonOptions): Promise<string> {
  const { requirements, installerEnvironment } = options
  const interpreter = await findInterpreter(options.python, installerEnvironment)
  const { isChosen, hasNumpy } = interpreter
  // The operator's own packages serve as the base, NumPy among them.
  const isBase = isChosen && hasNumpy
  const own = isChosen ? interpreter.packageFolders : []
  const base = isBase ? interpreter.path : await prepare(interpreter, own, BASE, options)
  if (requirements.file === undefined && hasAll(interpreter, requirements.packages)) return base
  const parent = (await findInterpreter(base, installerEnvironment)).packageFolders
  return prepare(interpreter, parent, withoutPins(requirements, isChosen), options)
}

// Who names a Python has chosen the versions.
function withoutPins(requirements: Requirements, isChosen: boolean): Requirements {
  if (!isChosen) return requirements
  return { ...requirements, packages: requirements.packages.map(nameOf) }
}

// Another Python than a chosen one has nothing to begin with.
function hasAll({ isChosen, packageNames }: Interpreter, packages: readonly string[]): boolean {
  if (packages.length === 0) return true
  return isChosen && packages.every((requirement) => packageNames.includes(nameOf(requirement)))
}

function nameOf(requirement: string): string {
  return requirement.replace(/[=<>~!].*$/, '')
}

async function prepare(
  interpreter: Interpreter,
  parentFolders: readonly string[],
  requirements: Requirements,
  options: PreparePythonOptions,
): Promise<string> {
  const { environmentsDirectory, log, signal } = options
  await mkdir(environmentsDirectory, { recursive: true, mode: 0o700 })
  const place = join(
    environmentsDirectory,
    environmentKey(interpreter, parentFolders, requirements),
  )
  const fill = async (folder: string): Promise<void> => {
    const startedAtMs = performance.now()
    log('info', 'python environment is being made', {
      python: interpreter.version,
      ...named(requirements),
    })
    await makeEnvironment(folder, { ...options, interpreter, parentFolders, requirements })
    const seconds = Math.round((performance.now() - startedAtMs) / 100) / 10
    log('info', 'python environment made', { seconds })
  }
  try {
    options.onProgress('waits for the Python environment, which another instance makes')
    return join(await useEnvironment(place, fill, signal), 'bin', 'python')
  } catch (error) {
    if (!(error instanceof InstallError)) throw error
    const what = requirements.file?.name ?? requirements.packages.join(', ')
    throw new StartFailure('environmentFailed', `${what} cannot be installed: ${error.message}`)
  }
}

function named({ packages, file }: Requirements): Record<string, string> {
  const names = [...packages, ...(file === undefined ? [] : [file.name])]
  return { requirements: names.join(', ') }
}
