import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { packModel } from '../../examples/digits/steps/archive.ts'
import { makeMlp } from '../models/mlp.ts'
import { addressOfUrl } from './address.ts'
import { ask } from './ask.ts'
import type { BenchBerth } from './berth.ts'
import { plainInvocations } from './invocations.ts'
import { readMemory } from './memory.ts'
import { signRequests } from './requests.ts'

const BUCKET = 'bench-models'
const PREFIX = `s3://${BUCKET}/many/`
const UPLOADS_AT_A_TIME = 16
const ASK_MAX_MS = 30_000
const HTTP_OK = 200

/** How {@link writeSmallModel} is called in texts. */
export const SMALL_MODEL = 'MLP 64→20→20→20→10 (10 kB)'

/** @returns the path of a model of 10 kB in the folder. */
export function writeSmallModel(folder: string): string {
  const path = join(folder, 'small.onnx')
  writeFileSync(path, makeMlp({ width: 20, layerCount: 2 }))
  return path
}

export const targetOf = (number: number): string => `m${number}.tar.gz`

/** Puts one model file below the prefix under the names of so many target models. */
export async function uploadTargets(
  { environment }: BenchBerth,
  modelPath: string,
  count: number,
): Promise<void> {
  const s3 = new S3Client({
    endpoint: environment.AWS_ENDPOINT_URL,
    region: environment.AWS_REGION,
    credentials: {
      accessKeyId: environment.AWS_ACCESS_KEY_ID,
      secretAccessKey: environment.AWS_SECRET_ACCESS_KEY,
    },
    forcePathStyle: true,
  })
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }))
  const { bytes } = await packModel(modelPath)
  let next = 0
  const uploadNext = async (): Promise<void> => {
    while (next < count) {
      const Key = `many/${targetOf(next)}`
      next += 1
      await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: bytes }))
    }
  }
  await Promise.all(Array.from({ length: UPLOADS_AT_A_TIME }, uploadNext))
  s3.destroy()
}

/** An endpoint of one instance for all of them. */
export async function createManyEndpoint(
  berth: BenchBerth,
  name: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<void> {
  await berth.registerContainers(name, {
    PrimaryContainer: {
      Image: 'berth/onnx',
      Mode: 'MultiModel',
      ModelDataUrl: PREFIX,
      Environment: { ...environment },
    },
  })
  await berth.createEndpoint(name)
}

/** Invocations of these target models in turn, one row each, every one signed for itself. */
export function signTargets(
  { environment, running }: BenchBerth,
  endpointName: string,
  numbers: readonly number[],
): Promise<Buffer[]> {
  const rows = plainInvocations(`/endpoints/${endpointName}/invocations`)
  const requests = numbers.flatMap((number, index) => {
    const request = rows[index % rows.length]
    const target = { 'x-amzn-sagemaker-target-model': targetOf(number) }
    return request === undefined ? [] : [{ ...request, headers: { ...request.headers, ...target } }]
  })
  return signRequests(addressOfUrl(running.url), requests, {
    accessKeyId: environment.AWS_ACCESS_KEY_ID,
    secretAccessKey: environment.AWS_SECRET_ACCESS_KEY,
    region: environment.AWS_REGION,
    service: 'sagemaker',
  })
}

/** One invocation on a connection of its own. @returns milliseconds from its first byte to its answer. */
export async function askTarget(
  berth: BenchBerth,
  endpointName: string,
  number: number,
): Promise<number> {
  const [request = Buffer.alloc(0)] = await signTargets(berth, endpointName, [number])
  const startedAtMs = performance.now()
  const { status } = await ask(addressOfUrl(berth.running.url), request, ASK_MAX_MS)
  if (status !== HTTP_OK) throw new Error(`${targetOf(number)} was answered with ${status}.`)
  return performance.now() - startedAtMs
}

/** Memory of all instances that run, shared pages by their share; and how many they are. */
export async function readInstances(
  berth: BenchBerth,
): Promise<{ readonly count: number; readonly proportionalBytes: number }> {
  const { instances } = await berth.describePlatform()
  const { proportionalBytes = Number.NaN } = readMemory(instances.map(({ pid }) => pid))
  return { count: instances.length, proportionalBytes }
}
