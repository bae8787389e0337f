import { SageMakerRuntimeClient, InvokeEndpointCommand } from '@aws-sdk/client-sagemaker-runtime'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readHead } from '../../src/wire/http-head.ts'
import { type PlainRequest, signRequests } from './requests.ts'

/** All different, so that no verdict could be remembered. */
export const RECEIVED_COUNT = 512
const ADDRESS = { kind: 'tcp', host: '127.0.0.1', port: 7070 } as const
const PATH = '/endpoints/mlp/invocations'
/** What the received requests are signed with. */
export const SIGNING = {
  accessKeyId: 'AKIDBENCHBENCHBENCHX',
  secretAccessKey: 'wJalrXUtnFEMIK7MDENGbPxRfiCYBENCHBENCHXX',
  region: 'us-east-1',
  service: 'sagemaker',
} as const

/** A request as a server has it when all of it has come. */
export interface ReceivedRequest {
  readonly method: string
  readonly rawTarget: string
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
}

/** Requests as the SDK sends them, taken from the wire. */
export async function recordSdkRequests(): Promise<ReceivedRequest[]> {
  const received: ReceivedRequest[] = []
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const { method = '', url: rawTarget = '', rawHeaders } = request
      received.push({ method, rawTarget, rawHeaders, body: Buffer.concat(pieces) })
      response.end('{}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const client = new SageMakerRuntimeClient({
    endpoint: `http://127.0.0.1:${port}`,
    region: SIGNING.region,
    credentials: SIGNING,
  })
  const fields = { ContentType: 'application/json', Accept: 'application/json' }
  for (const { body: Body } of plainRequests()) {
    await client.send(new InvokeEndpointCommand({ EndpointName: 'mlp', Body, ...fields }))
  }
  client.destroy()
  server.close()
  return received
}

/** Requests as boto3 sends them: it signs accept, content-type, host and x-amz-date, and leaves the hash of the body to the receiver. */
export async function signBoto3Requests(): Promise<ReceivedRequest[]> {
  const plain = plainRequests()
  const unsigned = Object.entries({
    'Accept-Encoding': 'identity',
    'User-Agent': 'Boto3/1.43.11 md/Botocore#1.43.11 ua/2.1 os/linux lang/python#3.11.7 m/D,Z',
    'amz-sdk-invocation-id': '1adbad2a-6b17-4e68-9f0c-654284a86189',
    'amz-sdk-request': 'attempt=1',
  }).flat()
  const encoded = await signRequests(ADDRESS, plain, { ...SIGNING, applyChecksum: false })
  return encoded.map((bytes, index) => {
    const [head = ''] = bytes.toString('latin1').split('\r\n\r\n', 1)
    const rawHeaders = head
      .split('\r\n')
      .slice(1)
      .flatMap((line) => [
        titleCase(line.slice(0, line.indexOf(':'))),
        line.slice(line.indexOf(':') + 2),
      ])
    const body = Buffer.from(plain[index]?.body ?? '')
    return { method: 'POST', rawTarget: PATH, rawHeaders: [...rawHeaders, ...unsigned], body }
  })
}

function titleCase(name: string): string {
  return name.replace(/(?:^|-)[a-z]/g, (letter) => letter.toUpperCase())
}

function plainRequests(): PlainRequest[] {
  return Array.from({ length: RECEIVED_COUNT }, (_, k) => {
    const values = Array.from({ length: 75 }, (__, i) => Number(Math.sin(k * 64 + i).toFixed(6)))
    return {
      method: 'POST',
      path: PATH,
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ instances: [values] }),
    }
  })
}

/** As node's HTTP server hands them out: each name and value is a new text of its own. */
export function copyRequest({
  method,
  rawTarget,
  rawHeaders,
  body,
}: ReceivedRequest): ReceivedRequest {
  const copy = (text: string) => Buffer.from(text, 'latin1').toString('latin1')
  return {
    method,
    rawTarget: copy(rawTarget),
    rawHeaders: rawHeaders.map(copy),
    body: Buffer.from(body),
  }
}

/** As the gateway's front hands them out: names and values are cut from one new text. */
export function cutRequest({
  method,
  rawTarget,
  rawHeaders,
  body,
}: ReceivedRequest): ReceivedRequest {
  const lines = rawHeaders.map((text, index) => (index % 2 === 0 ? `${text}: ` : `${text}\r\n`))
  const head = readHead(
    Buffer.from(`${method} ${rawTarget} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1'),
    0,
  )
  if (head.kind !== 'head') throw new Error(`a client's head is ${head.kind} for the front`)
  return { method, rawTarget: head.target, rawHeaders: head.rawHeaders, body: Buffer.from(body) }
}
