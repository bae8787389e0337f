import { createHash } from 'node:crypto'
import { BerthError, isBerthError } from '../../domain/errors.ts'
import type { ModelDataSource } from '../../domain/model.ts'
import type { ListedObject, ObjectStore, OpenedObject } from '../../ports/object-store.ts'
import { translateFileError } from './file-errors.ts'
import { ModelFolders, removeTree } from './model-folders.ts'
import { assertSourceForm, parseModelUrl, UnfitModelData } from './model-source.ts'
import type { SourceAddress } from './model-source.ts'
import { ModelTree, parseKeyPath } from './model-tree.ts'
import type { TreeLimits, TreeSummary } from './model-tree.ts'
import { SharedWork } from './shared-work.ts'
import { unpackTarGz } from './unpack.ts'

const UNPACKED_BYTES_MAX = 50 * 1024 ** 3
const ENTRIES_MAX = 100_000
// Between `prepare` and the moment its caller has recorded the use.
const UNUSED_GRACE_MS = 10 * 60_000
const LIST_PAGE = 1000

/** What the cache of model data takes. */
export interface ModelDataCacheOptions extends Partial<TreeLimits> {
  /** `<data-dir>/models`; made if need be. One running cache per folder. */
  readonly modelsDirectory: string
  readonly objectStore: ObjectStore
  readonly nowMs: () => number
  /** Host names under which this installation's S3 face answers, for https:// URLs. */
  readonly ownHosts?: readonly string[]
}

/** Asks for the model data of one container. */
export interface ModelDataRequest {
  /** For the sentence of a failure, e.g. `container_1`. */
  readonly containerName: string
  /** An empty folder when undefined. */
  readonly source: ModelDataSource | undefined
  /**
   * Set by who says himself when the folder may go ({@link ModelDataCache.remove}): asked before so many bytes more are
   * written.
   */
  readonly admitBytes?: (bytes: number) => Promise<void>
}

/** Model data on the disk, shared and read-only. */
export interface PreparedModelData {
  readonly directory: string
  readonly contentHash: string
  readonly bytes: number
}

/** Unpacked model data by content. */
export interface ModelDataCache {
  /**
   * Makes the model data of a container available as a folder.
   *
   * The same content is one folder, however many models name it; concurrent requests for the same object share the work.
   *
   * @throws BerthError `ValidationException`: missing or unfit; the message is a FailureReason.
   * @throws BerthError `InsufficientStorage`: the disk is full.
   */
  prepare(request: ModelDataRequest, signal: AbortSignal): Promise<PreparedModelData>
  /** Removes folders that nobody uses and nobody asked for in the last ten minutes. @returns their hashes. */
  removeUnused(hashesInUse: ReadonlySet<string>): Promise<readonly string[]>
  /** Removes a folder that its only user gives up. @returns false when others asked for it in the last ten minutes. */
  remove(contentHash: string): Promise<boolean>
  /** What a folder takes of the disk; 0 when it is not there. */
  measureBytes(contentHash: string): Promise<number>
  /** All that is there. */
  listHashes(): Promise<readonly string[]>
}

/** One version of a source, and how to get it. */
interface Origin {
  /** Changes when the source does. */
  readonly version: string
  readonly fill: (tree: ModelTree, signal: AbortSignal) => Promise<void>
  readonly close: () => Promise<void>
}

/** Creates the cache; its folder is swept and read by the first call. */
export function createModelDataCache(options: ModelDataCacheOptions): ModelDataCache {
  const folders = new ModelFolders(options.modelsDirectory)
  const work = new SharedWork<TreeSummary>()
  return {
    prepare: async ({ containerName, source, admitBytes }, signal) => {
      try {
        await folders.load()
        const parts = { options: { ...options, admitBytes }, folders, work }
        for (;;) {
          const { contentHash, bytes } = await prepareSource(source, parts, signal)
          const isKept = admitBytes !== undefined
          if (!isKept && !(await folders.lend(contentHash, options.nowMs()))) continue
          return { contentHash, bytes, directory: folders.pathOf(contentHash) }
        }
      } catch (error) {
        throw explain(error, containerName, source)
      }
    },
    removeUnused: async (hashesInUse) => {
      await folders.load()
      return folders.removeUnused(hashesInUse, options.nowMs() - UNUSED_GRACE_MS)
    },
    remove: async (contentHash) => {
      await folders.load()
      return folders.remove(contentHash, options.nowMs() - UNUSED_GRACE_MS)
    },
    measureBytes: (contentHash) => folders.measureBytes(contentHash),
    listHashes: async () => {
      await folders.load()
      return folders.hashes()
    },
  }
}

interface CacheParts {
  readonly options: ModelDataCacheOptions
  readonly folders: ModelFolders
  readonly work: SharedWork<TreeSummary>
}

async function prepareSource(
  source: ModelDataSource | undefined,
  { options, folders, work }: CacheParts,
  signal: AbortSignal,
): Promise<TreeSummary> {
  const origin = await observeOrigin(source, options, signal)
  try {
    const known = await folders.find(origin.version, options.nowMs())
    if (known !== undefined) return known
    // The first to ask opened the objects the work reads; another's are closed at once.
    return await work.run(
      origin.version,
      (sharedSignal) => unpack(origin.version, source, { options, folders, work }, sharedSignal),
      signal,
    )
  } finally {
    await origin.close()
  }
}

async function unpack(
  version: string,
  source: ModelDataSource | undefined,
  { options, folders }: CacheParts,
  signal: AbortSignal,
): Promise<TreeSummary> {
  // Opened anew: whoever asked first may leave and close theirs while others wait.
  const origin = await observeOrigin(source, options, signal)
  const incoming = await folders.makeIncoming()
  try {
    if (origin.version !== version) throw new UnfitModelData('It changed while it was read.')
    const { unpackedBytesMax = UNPACKED_BYTES_MAX, entriesMax = ENTRIES_MAX, admitBytes } = options
    const tree = new ModelTree(incoming, { unpackedBytesMax, entriesMax, admitBytes })
    await origin.fill(tree, signal)
    const summary = await tree.seal()
    signal.throwIfAborted()
    await folders.install(incoming, summary, version, options.nowMs())
    return summary
  } catch (error) {
    await removeTree(incoming)
    throw error
  } finally {
    await origin.close()
  }
}

async function observeOrigin(
  source: ModelDataSource | undefined,
  options: ModelDataCacheOptions,
  signal: AbortSignal,
): Promise<Origin> {
  if (source === undefined) return { version: 'none', fill: async () => {}, close: async () => {} }
  const address = parseModelUrl(source.url, options.ownHosts ?? [])
  assertSourceForm(source, address)
  if (source.kind === 'prefix') return observePrefix(address, options, signal)
  const opened = await options.objectStore.openObject(address, signal)
  return {
    version: versionOf(source.kind, [{ key: address.key, ...opened.metadata }]),
    fill: (tree, fillSignal) =>
      source.kind === 'archive'
        ? fillFromArchive(opened, tree, fillSignal)
        : fillFromObject(opened, address.key, tree),
    close: () => opened.close(),
  }
}

async function fillFromArchive(
  opened: OpenedObject,
  tree: ModelTree,
  signal: AbortSignal,
): Promise<void> {
  if (opened.metadata.sizeBytes === 0) throw new UnfitModelData('The object is empty.')
  await unpackTarGz(opened.read(), tree, signal)
}

async function fillFromObject(opened: OpenedObject, key: string, tree: ModelTree): Promise<void> {
  const name = key.slice(key.lastIndexOf('/') + 1)
  await tree.addFile({
    name,
    elements: parseKeyPath(name),
    isExecutable: false,
    body: opened.read(),
  })
}

async function observePrefix(
  { bucketName, key: prefix }: SourceAddress,
  { objectStore, entriesMax = ENTRIES_MAX }: ModelDataCacheOptions,
  signal: AbortSignal,
): Promise<Origin> {
  const objects: ListedObject[] = []
  let startAfter: string | undefined
  do {
    const query = { bucketName, prefix, startAfter, entriesMax: LIST_PAGE }
    const page = await objectStore.listObjects(query, signal)
    objects.push(...page.objects)
    startAfter = page.nextStartAfter
    if (objects.length > entriesMax) {
      throw new UnfitModelData(`It holds more than ${entriesMax} files and folders.`)
    }
  } while (startAfter !== undefined)
  if (objects.length === 0) {
    throw new BerthError('NoSuchKey', 'No object has a key that begins with the prefix.')
  }
  return {
    version: versionOf('prefix', [
      { key: prefix, etag: '', sizeBytes: 0, modifiedAtMs: 0 },
      ...objects,
    ]),
    fill: async (tree, fillSignal) => {
      for (const object of objects) {
        await addListed({ bucketName, prefix, object, objectStore }, tree, fillSignal)
      }
    },
    close: async () => {},
  }
}

interface ListedFile {
  readonly bucketName: string
  readonly prefix: string
  readonly object: ListedObject
  readonly objectStore: ObjectStore
}

async function addListed(
  { bucketName, prefix, object, objectStore }: ListedFile,
  tree: ModelTree,
  signal: AbortSignal,
): Promise<void> {
  const name = object.key.slice(prefix.length)
  if (name === '' || name.endsWith('/')) {
    if (object.sizeBytes > 0) {
      throw new UnfitModelData(`Key "${object.key}" ends in "/" and has content.`)
    }
    if (name !== '') await tree.addFolder(name, parseKeyPath(name.slice(0, -1)))
    return
  }
  const opened = await objectStore.openObject({ bucketName, key: object.key }, signal)
  try {
    if (opened.metadata.etag !== object.etag) {
      throw new UnfitModelData(`Object "${object.key}" changed while the prefix was read.`)
    }
    const elements = parseKeyPath(name)
    await tree.addFile({ name, elements, isExecutable: false, body: opened.read() })
  } finally {
    await opened.close()
  }
}

function versionOf(kind: string, objects: readonly ListedObject[]): string {
  const hash = createHash('sha256').update(kind)
  for (const { key, etag, sizeBytes, modifiedAtMs } of objects) {
    hash.update(JSON.stringify([key, etag, sizeBytes, modifiedAtMs]))
  }
  return hash.digest('hex')
}

/** The FailureReason of an endpoint. Source: data-plane reference §7.3 for the first sentence. */
function explain(
  error: unknown,
  containerName: string,
  source: ModelDataSource | undefined,
): unknown {
  const from = `model data for container "${containerName}" from URL: "${source?.url ?? ''}".`
  const options = { cause: error }
  if (
    isBerthError(error) &&
    ['NoSuchKey', 'NoSuchBucket', 'InvalidBucketName'].includes(error.code)
  ) {
    return new BerthError(
      'ValidationException',
      `Failed to download ${from} Please ensure that there is an object located at the URL and that the role passed to CreateModel has permissions to download the object.`,
      options,
    )
  }
  if (error instanceof UnfitModelData) {
    return new BerthError(
      'ValidationException',
      `Failed to extract ${from} ${error.message}`,
      options,
    )
  }
  return translateFileError(error)
}
