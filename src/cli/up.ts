import { isBerthError } from '../domain/errors.ts'
import { parseConfig, readConfigFile, environment } from '../platform/config.ts'
import type { ExitReason } from './exit-codes.ts'
import { CliFailure } from './failure.ts'

/** Flags of `berth up`; the rest of the options come from the environment and the config file. */
export interface UpOptions {
  readonly host?: string
  readonly port?: string
  readonly dataDir?: string
  readonly config?: string
  readonly json?: boolean
}

/**
 * Runs the platform in this process until it is told to stop.
 *
 * @throws ConfigError with every option that cannot be used.
 * @throws CliFailure `failed`: it cannot start; says why.
 */
export async function runUp(options: UpOptions): Promise<ExitReason> {
  const config = parseConfig({
    file: options.config === undefined ? {} : readConfigFile(options.config),
    environment: environment(),
    flags: { BERTH_HOST: options.host, BERTH_PORT: options.port, BERTH_DATA_DIR: options.dataDir },
  })
  // The one place where the CLI meets the rest: `up` is the program itself, every other command is its client.
  const { runBerth } = await import('../main.ts')
  try {
    const exitCode = await runBerth({ config, json: options.json === true })
    return exitCode === 0 ? 'ok' : 'failed'
  } catch (error) {
    if (isBerthError(error) || !(error instanceof Error)) throw error
    // In words already. An error of a socket in here is this program's own, not that of a Berth it asks.
    throw new CliFailure('failed', error.message, { cause: error })
  }
}
