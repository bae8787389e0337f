import type { ModelDisk } from '../../src/ports/model-disk.ts'

/** A disk that has room for everything. */
export function unboundedDisk(prepare: ModelDisk['prepare']): ModelDisk {
  return {
    prepare,
    measureBytes: () => Promise.resolve(0),
    remove: () => Promise.resolve(false),
    listUnused: () => Promise.resolve([]),
  }
}
