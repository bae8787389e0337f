import type { Log } from '../../log.ts'
import type { Requirements } from './requirements.ts'

/** What decides on an environment, and who hears of its making. */
export interface PreparePythonOptions {
  /** Python's executable, where the operator named one. */
  readonly python: string | undefined
  readonly environmentsDirectory: string
  readonly requirements: Requirements
  /** Of the installer: package indexes, proxies, certificates. */
  readonly installerEnvironment: Readonly<Record<string, string>>
  readonly log: Log
  /** What is being done, in a few words. */
  readonly onProgress: (step: string) => void
  readonly signal: AbortSignal
}
