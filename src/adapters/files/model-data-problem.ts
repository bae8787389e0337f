import { isBerthError } from '../../domain/errors.ts'
import type { ModelDataSource } from '../../domain/model.ts'
import type { ObjectStore } from '../../ports/object-store.ts'
import { assertSourceForm, parseModelUrl, UnfitModelData } from './model-source.ts'

/** What looking a source up takes. */
export interface FindModelDataDeps {
  readonly objectStore: ObjectStore
  /** Host names under which this installation's S3 face answers. */
  readonly ownHosts: readonly string[]
}

/**
 * Why model data cannot be used, in AWS's words, or `undefined`: what CreateModel tells its caller at once instead of
 * letting an endpoint fail later. Only existence is looked at; the content is judged when it is unpacked.
 *
 * Source: messages of CreateModel, control-plane reference §4.1.
 */
export async function findModelDataProblem(
  source: ModelDataSource,
  { objectStore, ownHosts }: FindModelDataDeps,
): Promise<string | undefined> {
  const signal = new AbortController().signal
  try {
    const address = parseModelUrl(source.url, ownHosts)
    assertSourceForm(source, address)
    if (source.kind !== 'prefix') {
      await objectStore.headObject(address, signal)
      return undefined
    }
    const { bucketName, key: prefix } = address
    const page = await objectStore.listObjects({ bucketName, prefix, entriesMax: 1 }, signal)
    return page.objects.length === 0 ? missing(source) : undefined
  } catch (error) {
    if (error instanceof UnfitModelData) return error.message
    if (isBerthError(error) && (error.code === 'NoSuchBucket' || error.code === 'NoSuchKey')) {
      return missing(source)
    }
    throw error
  }
}

function missing({ url }: ModelDataSource): string {
  return `Could not find model data at ${url}.`
}
