import { BerthError } from '../../domain/errors.ts'
import { encodeToken, parseCount, parseToken } from '../../wire/s3/listing.ts'
import { childText, element, encodeDocument, parseXml } from '../../wire/s3/xml.ts'
import type { ObjectsCall } from './objects-call.ts'
import { sendDocument, sendEmpty } from './reply.ts'
import { readText, SMALL_XML_BYTES_MAX } from './request-body.ts'

const BUCKETS_MAX = 10_000
const OLDEST_REGION = 'us-east-1'

/** ListBuckets. */
export async function listBuckets(call: ObjectsCall): Promise<void> {
  const { deps, query, request } = call
  const prefix = query.get('prefix') ?? ''
  const token = query.get('continuation-token')
  const startAfter = token === undefined ? '' : parseToken(token)
  const countMax = parseCount(query.get('max-buckets'), 'max-buckets') ?? BUCKETS_MAX
  const isHere = (query.get('bucket-region') ?? deps.region) === deps.region
  const buckets = isHere ? await deps.objectStore.listBuckets(request.signal) : []
  const matching = buckets.filter(({ name }) => name.startsWith(prefix) && name > startAfter)
  const page = matching.slice(0, countMax)
  const last = page.at(-1)
  const isTruncated = matching.length > page.length && last !== undefined
  const items = page.map(({ name, createdAtMs }) =>
    element('Bucket', [
      element('Name', name),
      element('CreationDate', new Date(createdAtMs).toISOString()),
      element('BucketRegion', deps.region),
    ]),
  )
  const owner = [element('ID', deps.accountId), element('DisplayName', deps.accountId)]
  const document = encodeDocument('ListAllMyBucketsResult', [
    element('Owner', owner),
    element('Buckets', items),
    isTruncated ? element('ContinuationToken', encodeToken(last.name)) : undefined,
    prefix === '' ? undefined : element('Prefix', prefix),
  ])
  sendDocument(call, document)
}

/** CreateBucket. As S3, creating one's own again is fine in us-east-1 and a conflict elsewhere. */
export async function createBucket(call: ObjectsCall): Promise<void> {
  const { bucketName, deps, request } = call
  assertLocation(await readText(call, SMALL_XML_BYTES_MAX), deps.region)
  const outcome = await deps.objectStore.createBucket(bucketName, request.signal)
  if (outcome === 'existed' && deps.region !== OLDEST_REGION) {
    throw new BerthError(
      'BucketAlreadyOwnedByYou',
      'Your previous request to create the named bucket succeeded and you already own it.',
      { members: { BucketName: bucketName } },
    )
  }
  sendEmpty(call, 200, { Location: `/${bucketName}` })
}

/** HeadBucket. */
export async function headBucket(call: ObjectsCall): Promise<void> {
  await requireBucket(call)
  sendEmpty(call, 200, { 'x-amz-bucket-region': call.deps.region })
}

/** DeleteBucket. */
export async function deleteBucket(call: ObjectsCall): Promise<void> {
  await call.deps.objectStore.deleteBucket(call.bucketName, call.request.signal)
  sendEmpty(call, 204)
}

/** GetBucketLocation: nothing means us-east-1. */
export async function getBucketLocation(call: ObjectsCall): Promise<void> {
  await requireBucket(call)
  const { region } = call.deps
  const location = region === OLDEST_REGION ? '' : region
  const empty = encodeDocument('LocationConstraint', [])
  sendDocument(call, empty.replace('></', `>${location}</`))
}

/** GetBucketVersioning: it was never switched on. */
export async function getBucketVersioning(call: ObjectsCall): Promise<void> {
  await requireBucket(call)
  sendDocument(call, encodeDocument('VersioningConfiguration', []))
}

async function requireBucket({ bucketName, deps, request }: ObjectsCall): Promise<void> {
  const bucket = await deps.objectStore.findBucket(bucketName, request.signal)
  if (bucket !== undefined) return
  throw new BerthError('NoSuchBucket', 'The specified bucket does not exist', {
    members: { BucketName: bucketName },
  })
}

function assertLocation(body: string, region: string): void {
  const root = body.trim() === '' ? undefined : parseXml(body, 'CreateBucketConfiguration')
  const unknown = [...(root?.children.keys() ?? [])].find((name) => name !== 'LocationConstraint')
  if (unknown !== undefined) {
    throw new BerthError('NotImplemented', `Berth does not offer ${unknown} of a bucket.`)
  }
  const location = (root && childText(root, 'LocationConstraint')?.trim()) || OLDEST_REGION
  if (location === region) return
  throw new BerthError(
    'IllegalLocationConstraintException',
    `The ${location.slice(0, 50)} location constraint is incompatible for the region specific endpoint this request was sent to.`,
  )
}
