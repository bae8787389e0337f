import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** One program of an installation. */
export interface InstallerRun {
  readonly command: string
  readonly arguments: readonly string[]
  readonly folder: string
  readonly environment: Readonly<Record<string, string>>
  /** Of the last lines of a run that failed, those that say why. @defaultValue the last three */
  readonly chooseTelling?: (lines: readonly string[]) => readonly string[]
  /** Hears each line that it prints. */
  readonly onLine: (line: string) => void
  readonly signal: AbortSignal
}

const LINES_KEPT = 40

/** Why an installation failed: the installer's own words. */
export class InstallError extends Error {}

/** Runs a program to its end. @throws InstallError it fails. */
export async function runInstaller(run: InstallerRun): Promise<void> {
  const lines: string[] = []
  const child = spawn(run.command, [...run.arguments], {
    cwd: run.folder,
    env: run.environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: run.signal,
  })
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      if (line.trim() === '') return
      lines.push(line)
      if (lines.length > LINES_KEPT) lines.shift()
      run.onLine(line)
    })
  }
  const { promise, resolve, reject } = Promise.withResolvers<number | null>()
  child.once('error', reject)
  child.once('close', resolve)
  const code = await promise
  if (code === 0) return
  const telling = run.chooseTelling?.(lines) ?? lines.slice(-3)
  throw new InstallError(telling.join(' / '))
}
