import type { LoadOverride } from '../load-override.ts'
import type { ServedVersion } from '../served-version.ts'

/** The other models of the server, as a model may use them. */
export interface OtherModels {
  /** @throws ServingError it does not serve. */
  find(name: string, version: number | undefined): ServedVersion
  isReady(name: string, version: number | undefined): Promise<boolean>
  /** @throws ServingError it cannot be loaded, or not now. */
  load(name: string, override: LoadOverride): Promise<void>
  /** @throws ServingError it cannot be unloaded, or not now. */
  unload(name: string, withDependents: boolean): Promise<void>
}
