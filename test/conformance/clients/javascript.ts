import * as s3 from '@aws-sdk/client-s3'
import * as sagemaker from '@aws-sdk/client-sagemaker'
import * as runtime from '@aws-sdk/client-sagemaker-runtime'
import * as sts from '@aws-sdk/client-sts'

import type { AwsClient, ClientTarget, Outcome, ServiceName } from './client.ts'

interface Sender {
  send(command: unknown): Promise<Readonly<Record<string, unknown>>>
  destroy(): void
}

interface PayloadPartEvent {
  readonly PayloadPart?: { readonly Bytes?: Uint8Array }
}

/** The AWS SDK for JavaScript v3. */
export function createJavaScriptClient(target: ClientTarget): AwsClient {
  const options = {
    endpoint: target.url,
    region: 'us-east-1',
    credentials: {
      accessKeyId: target.accessKeyId,
      secretAccessKey: target.secretAccessKey,
      ...(target.sessionToken === undefined ? {} : { sessionToken: target.sessionToken }),
    },
    maxAttempts: 1,
  }
  const senders: Readonly<Record<ServiceName, [Sender, object]>> = {
    sagemaker: [new sagemaker.SageMakerClient(options) as Sender, sagemaker],
    'sagemaker-runtime': [new runtime.SageMakerRuntimeClient(options) as Sender, runtime],
    sts: [new sts.STSClient(options) as Sender, sts],
    s3: [new s3.S3Client({ ...options, forcePathStyle: true }) as Sender, s3],
  }
  return {
    name: 'javascript',
    call: async (service, operation, input) => {
      const [sender, module] = senders[service]
      const Command = Reflect.get(module, `${operation}Command`) as new (given: unknown) => unknown
      return await outcomeOf(sender.send(new Command(given(input))))
    },
    close: async () => {
      for (const [sender] of Object.values(senders)) sender.destroy()
    },
  }
}

async function outcomeOf(reply: Promise<Readonly<Record<string, unknown>>>): Promise<Outcome> {
  try {
    const { $metadata: _, ...output } = await reply
    return { kind: 'output', output: (await plain(output)) as Readonly<Record<string, unknown>> }
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return { kind: 'error', code: error.name, message: error.message }
  }
}

function given(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(given)
  if (typeof value !== 'object' || value === null) return value
  if ('base64' in value) return Buffer.from(String(value.base64), 'base64')
  if ('epochSeconds' in value) return new Date(Number(value.epochSeconds) * 1000)
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, given(item)]))
}

async function plain(value: unknown): Promise<unknown> {
  if (value instanceof Date) return value.getTime() / 1000
  if (value instanceof Uint8Array) return { base64: Buffer.from(value).toString('base64') }
  if (Array.isArray(value)) return await Promise.all(value.map(plain))
  if (typeof value !== 'object' || value === null) return value
  if (Symbol.asyncIterator in value) return await streamBytes(value as AsyncIterable<unknown>)
  const entries = Object.entries(value).filter(([, item]) => item !== undefined)
  const plainEntries = entries.map(async ([name, item]) => [name, await plain(item)] as const)
  return Object.fromEntries(await Promise.all(plainEntries))
}

async function streamBytes(stream: AsyncIterable<unknown>): Promise<{ base64: string }> {
  const parts: Uint8Array[] = []
  for await (const part of stream) {
    if (part instanceof Uint8Array) parts.push(part)
    else parts.push((part as PayloadPartEvent).PayloadPart?.Bytes ?? new Uint8Array())
  }
  return { base64: Buffer.concat(parts).toString('base64') }
}
