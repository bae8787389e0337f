import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { findInterpreter } from './interpreter.ts'
import type { Interpreter } from './interpreter.ts'
import type { PreparePythonOptions } from './preparation.ts'
import { InstallError, runInstaller } from '../../user-code/run-installer.ts'

/** What is made, and from what. */
export interface MakeEnvironmentOptions extends PreparePythonOptions {
  readonly interpreter: Interpreter
  /** Folders whose packages it sees besides its own. */
  readonly parentFolders: readonly string[]
}

type Install = (args: readonly string[]) => Promise<void>

/** Makes a virtual environment in a folder, which it cannot leave: it knows its own path. */
export async function makeEnvironment(
  folder: string,
  options: MakeEnvironmentOptions,
): Promise<void> {
  const { interpreter, parentFolders, requirements, onProgress, installerEnvironment } = options
  const run = (command: string, args: readonly string[]): Promise<void> =>
    runInstaller({
      command,
      arguments: args,
      folder: requirements.file === undefined ? dirname(folder) : dirname(requirements.file.path),
      environment: installerEnvironment,
      chooseTelling: chooseTellingLines,
      onLine: (line) => note(line, options),
      signal: options.signal,
    })
  onProgress('makes a virtual environment')
  const hasUv = await run('uv', ['--version']).then(...YES_OR_NO)
  const python = join(folder, 'bin', 'python')
  if (hasUv) await run('uv', ['venv', '--quiet', '--python', interpreter.path, folder])
  else await run(interpreter.path, ['-m', 'venv', folder]).catch(adviseDebian)
  const made = await findInterpreter(python, installerEnvironment)
  const [own] = made.packageFolders
  if (parentFolders.length > 0 && own !== undefined) {
    await writeFile(join(own, 'berth-parent.pth'), `${parentFolders.join('\n')}\n`)
  }
  const install: Install = hasUv
    ? (args) => run('uv', ['pip', 'install', '--compile-bytecode', '--python', python, ...args])
    : (args) => run(python, ['-m', 'pip', 'install', ...PIP_FLAGS, ...args])
  await installAll(install, options)
}

const YES_OR_NO = [() => true, () => false] as const
const PIP_FLAGS = ['--disable-pip-version-check', '--no-input', '--progress-bar=off']

async function installAll(install: Install, options: MakeEnvironmentOptions): Promise<void> {
  const { packages, file } = options.requirements
  const own = file === undefined ? [] : ['-r', file.path]
  const names = packages.map((requirement) => requirement.replace(/[=<>~!].*$/, ''))
  const isPinned = packages.some((requirement, index) => requirement !== names[index])
  if (!isPinned) return install([...packages, ...own])
  // The versions of an image may be older than this Python: building them from source would take long, and fail.
  const onlyBinary = names.map((name) => `--only-binary=${name}`)
  try {
    await install([...onlyBinary, ...packages, ...own])
  } catch (error) {
    if (!(error instanceof InstallError)) throw error
    options.log('warn', 'the versions of the image were not installed; the newest are', {
      versions: packages.join(', '),
      reason: error.message,
    })
    await install([...names, ...own])
  }
}

// What people want to see of an installation: what is fetched, and what was installed.
function note(line: string, { log, onProgress }: MakeEnvironmentOptions): void {
  const step = line.trim().slice(0, 160)
  onProgress(step)
  const isTelling =
    /^(collecting|downloading|building|installing|successfully|installed|resolved|prepared|error|warning)/i
  if (isTelling.test(step)) log('info', 'python environment', { step })
}

function adviseDebian(error: unknown): never {
  if (!(error instanceof InstallError)) throw error
  const advice = 'On Debian and Ubuntu: apt install python3-venv.'
  throw new InstallError(`a virtual environment cannot be made (${error.message}). ${advice}`)
}

// pip and uv say what is wrong at the end; pip marks it, and adds advice on its own upgrade.
function chooseTellingLines(lines: readonly string[]): readonly string[] {
  const errors = lines.filter((line) => /^\s*(error|×|╰|├)/i.test(line))
  const telling = errors.length > 0 ? errors.slice(-2).toReversed() : lines.slice(-3)
  return telling.map((line) => line.replace(/^\s*(ERROR:|error:|[×╰├]─?[▶─>]*)\s*/, ''))
}
