import { randomUUID } from 'node:crypto'
import { access, cp, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Log } from '../../log.ts'
import { StartFailure } from '../../start-failure.ts'
import { runLocked } from '../../user-code/lock.ts'
import { InstallError, runInstaller } from '../../user-code/run-installer.ts'
import { findManifest, packagesKey } from './package-manifest.ts'
import type { PackageManifest } from './package-manifest.ts'
import { removeBrokenOff } from './remove-broken-off.ts'

/** What decides which packages there are to be, and who hears of it. */
export interface PreparePackagesOptions {
  readonly codeFolders: readonly string[]
  readonly modelDirectory: string
  /** Where installed packages are kept and shared. */
  readonly packagesDirectory: string
  /** Of the installer: registries, proxies, certificates. */
  readonly installerEnvironment: Readonly<Record<string, string>>
  readonly log: Log
  /** What is being done, in a few words. */
  readonly onProgress: (step: string) => void
  readonly signal: AbortSignal
}

/**
 * Installs the dependencies of the user code's `package.json` with npm, into a folder named by a hash of what decides them:
 * made once, shared by all that need the same. Their install scripts run only where `allowScripts` says so.
 *
 * @returns the folder with `node_modules`; undefined when there is nothing to install.
 * @throws StartFailure `environmentFailed`, with npm's words.
 */
export async function preparePackages(
  options: PreparePackagesOptions,
): Promise<string | undefined> {
  const { codeFolders, modelDirectory, packagesDirectory, log, onProgress, signal } = options
  const manifest = await findManifest(codeFolders, modelDirectory)
  if (manifest === undefined) return undefined
  await mkdir(packagesDirectory, { recursive: true, mode: 0o700 })
  const place = join(packagesDirectory, packagesKey(manifest))
  const isMade = (): Promise<boolean> => access(place).then(...YES_OR_NO)
  const work = async (): Promise<void> => {
    const startedAtMs = performance.now()
    await removeBrokenOff(packagesDirectory, basename(place), log)
    log('info', 'node packages are being installed', { manifest: manifest.name })
    await install(place, manifest, options)
    const seconds = Math.round((performance.now() - startedAtMs) / 100) / 10
    log('info', 'node packages installed', { seconds })
  }
  try {
    onProgress('waits for its packages, which another instance installs')
    await runLocked(place, { isMade, work }, signal)
  } catch (error) {
    if (!(error instanceof InstallError)) throw error
    const message = `${manifest.name} cannot be installed: ${error.message}`
    throw new StartFailure('environmentFailed', message)
  }
  return place
}

const YES_OR_NO = [() => true, () => false] as const
const FLAGS = ['--omit=dev', '--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=http']

// Made beside its place and renamed into it, so that nobody sees a half-made one.
async function install(
  place: string,
  manifest: PackageManifest,
  options: PreparePackagesOptions,
): Promise<void> {
  const folder = `${place}.${randomUUID().slice(0, 8)}`
  try {
    if (manifest.isLocal) await cp(manifest.folder, folder, { recursive: true })
    else await mkdir(folder)
    for (const [file, text] of manifest.textByFile) await writeFile(join(folder, file), text)
    const npm = (...args: readonly string[]): Promise<void> => runNpm(folder, args, options)
    options.onProgress('installs its packages')
    await npm(manifest.isLocked ? 'ci' : 'install', '--ignore-scripts', ...FLAGS)
    const { trustedPackages } = manifest
    if (trustedPackages.length > 0)
      await npm('rebuild', '--ignore-scripts=false', ...trustedPackages)
    await rename(folder, place)
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

async function runNpm(
  folder: string,
  args: readonly string[],
  { installerEnvironment, log, onProgress, signal }: PreparePackagesOptions,
): Promise<void> {
  const { PATH = '/usr/local/bin:/usr/bin:/bin' } = installerEnvironment
  // npm runs on this Node: what packages compile, they compile for the one that will load it.
  const environment = { ...installerEnvironment, PATH: `${nodeFolder()}:${PATH}` }
  try {
    await runInstaller({
      command: 'npm',
      arguments: args,
      folder,
      environment,
      chooseTelling: chooseTellingLines,
      onLine: (line) => {
        const step = line.trim().slice(0, 160)
        onProgress(step)
        if (/^(added|changed|up to date|rebuilt|npm (warn|error))/.test(step)) {
          log('info', 'node packages', { step })
        }
      },
      signal,
    })
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    if (!isMissing) throw error
    const advice = 'Install npm, or pack node_modules with the model.'
    throw new InstallError(`there is no npm on the path. ${advice}`, { cause: error })
  }
}

// Only where the executable goes by the name that npm looks for.
function nodeFolder(): string {
  return basename(process.execPath) === 'node' ? dirname(process.execPath) : ''
}

// npm says the cause first, and where it wrote it down last.
function chooseTellingLines(lines: readonly string[]): readonly string[] {
  const telling = lines
    .filter((line) => line.startsWith('npm error '))
    .map((line) =>
      line
        .replace(/^npm error (code )?/, '')
        .replace(/^[0-9]{3} /, '')
        .trim(),
    )
    .filter((line) => line !== '' && !/^(A complete log|Note that you can also)/.test(line))
  return telling.length > 0 ? telling.slice(0, 3) : lines.slice(-3)
}
