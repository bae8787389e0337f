import { mkdtempSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openFileObjectStore } from '../../src/adapters/files/object-store.ts'
import { routeObjects } from '../../src/control/objects/route-objects.ts'
import type { ObjectStore } from '../../src/ports/object-store.ts'
import { authError } from '../../src/wire/auth-errors.ts'
import type { VerifyResult } from '../../src/wire/auth-types.ts'
import { encodeS3Error } from '../../src/wire/s3/errors.ts'
import { SigningKeyCache } from '../../src/wire/sigv4-keys.ts'
import { verifyRequest } from '../../src/wire/sigv4.ts'

export const accountId = '000000000000'
export const region = 'us-east-1'
export const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' }

/** The S3 face alone behind a node:http server, on a temporary folder. */
export interface S3Server {
  readonly server: Server
  readonly port: number
  readonly objectStore: ObjectStore
  /** What the face reported as bugs. */
  readonly bugs: readonly unknown[]
  /** Resolves when every request that was begun is answered or dropped. */
  readonly settled: () => Promise<void>
  /** Stops, removes the folder. @returns names of files that writes left behind. */
  readonly stop: () => Promise<readonly string[]>
}

/** Starts it on a free port. @param folder holds the objects; a temporary one when absent. */
export async function startS3Server(folder = newFolder()): Promise<S3Server> {
  const root = join(folder, 'objects')
  const objectStore = await openFileObjectStore({ root, nowMs: Date.now })
  const signingKeys = new SigningKeyCache()
  const bugs: unknown[] = []
  const calls: Promise<void>[] = []
  const server = createServer((request, response) => {
    const { method = '', url: rawTarget = '', rawHeaders } = request
    const controller = new AbortController()
    response.on('close', () => controller.abort())
    const auth = verify(request, signingKeys)
    if (auth.kind !== 'verified') {
      refuse(auth, request, response)
      return
    }
    const { signal } = controller
    const call = routeObjects(
      { method, rawTarget, rawHeaders, body: request, auth, requestId: 'R', signal },
      response,
      {
        objectStore,
        accountId,
        region,
        hostSuffixes: ['localhost'],
        reportBug: (error) => bugs.push(error),
      },
    )
    calls.push(call)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const settled = async (): Promise<void> => {
    await Promise.all(calls)
  }
  return {
    server,
    port: (server.address() as AddressInfo).port,
    objectStore,
    bugs,
    settled,
    stop: async () => {
      server.closeAllConnections()
      server.close()
      await settled()
      const left = await readdir(join(root, '.incoming'))
      await rm(root, { recursive: true, force: true })
      await rm(folder, { recursive: true, force: true }).catch(() => undefined)
      return left
    },
  }
}

function newFolder(): string {
  return mkdtempSync(join(tmpdir(), 'berth-s3-'))
}

function verify(request: IncomingMessage, signingKeys: SigningKeyCache): VerifyResult {
  const { method = '', url: rawTarget = '', rawHeaders } = request
  const principal = { arn: `arn:aws:iam::${accountId}:root`, userId: accountId, accountId }
  const { accessKeyId, secretAccessKey } = credentials
  return verifyRequest(
    { method, rawTarget, rawHeaders, bodySha256: undefined },
    {
      findSecret: (id) =>
        id === accessKeyId
          ? { kind: 'found', secretAccessKey, principal }
          : { kind: 'unknown-key' },
      regions: [region],
      nowMs: Date.now(),
      signingKeys,
    },
  )
}

function refuse(
  auth: Exclude<VerifyResult, { kind: 'verified' }>,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const failure =
    auth.kind === 'rejected' ? auth.failure : ({ kind: 'missing', message: '' } as const)
  const place = {
    requestId: 'R',
    resource: request.url ?? '',
    region,
    isHead: request.method === 'HEAD',
  }
  const reply = encodeS3Error(authError(failure, 's3'), place)
  response.writeHead(reply.status, { ...reply.headers, Connection: 'close' }).end(reply.body)
}
