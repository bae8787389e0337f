import type { ModelDisk } from '../../ports/model-disk.ts'
import type { ModelDataCache } from './model-data.ts'

/**
 * The folders of the cache of model data as the disk of multi-model endpoints.
 *
 * @param hashesUsedByOthers what endpoints of one model and compilation jobs use just now.
 */
export function createModelDisk(
  cache: ModelDataCache,
  hashesUsedByOthers: () => Iterable<string>,
): ModelDisk {
  const isUsedByOthers = (contentHash: string): boolean =>
    new Set(hashesUsedByOthers()).has(contentHash)
  return {
    prepare: (source, { signal, admitBytes }) =>
      cache.prepare({ containerName: 'model', source, admitBytes }, signal),
    measureBytes: (contentHash) => cache.measureBytes(contentHash),
    remove: async (contentHash) =>
      !isUsedByOthers(contentHash) && (await cache.remove(contentHash)),
    listUnused: async () => {
      const used = new Set(hashesUsedByOthers())
      const unused: { readonly contentHash: string; readonly bytes: number }[] = []
      for (const contentHash of await cache.listHashes()) {
        if (used.has(contentHash)) continue
        unused.push({ contentHash, bytes: await cache.measureBytes(contentHash) })
      }
      return unused
    },
  }
}
