import { realpathSync } from 'node:fs'
import { explainLoadFailure } from './explain-load-failure.ts'
import { printDirectly, printError } from './output.ts'
import { resolveForUserCode } from './resolution.ts'
import type { UserCodePlace } from './thread-data.ts'
import { importUserCode } from './user-module.ts'
import type { UserExports } from './user-module.ts'

/**
 * Makes this thread one of user code, imports its module and makes of it what serves.
 *
 * @param onFailure hears why it cannot be loaded, in a sentence; the thread ends after.
 */
export async function loadUserCode(
  place: UserCodePlace,
  load: (exports: UserExports) => Promise<void>,
  onFailure: (message: string) => void,
): Promise<void> {
  printDirectly()
  const modelDirectory = realpathSync(place.modelDirectory)
  const loadedPaths = resolveForUserCode(place.packagesFolder)
  try {
    await load(await importUserCode(place))
  } catch (error) {
    printError(error)
    const { manifestName } = place
    onFailure(explainLoadFailure(error, { modelDirectory, manifestName, loadedPaths }))
    process.exit(0)
  }
}
