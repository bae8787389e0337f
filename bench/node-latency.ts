/**
 * `node bench/node-latency.ts`: what a Node thread adds to an invocation of 64 floats: from the model server's pool to
 * `transformFn` and back, without HTTP and without user code that does anything.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeWorkers } from '../src/modelserver/node/node-workers.ts'
import { measureHandler } from './harness/handler-latency.ts'

const HANDLER = 'export const transformFn = (model, body, contentType) => [body, contentType]\n'

const folder = await mkdtemp(join(tmpdir(), 'berth-bench-'))
await writeFile(join(folder, 'inference.mjs'), HANDLER)
const place = {
  modelDirectory: folder,
  codeFolders: [folder],
  program: undefined,
  defaultProgram: 'inference',
  manifestName: 'package.json',
  packagesFolder: undefined,
}
const data = { ...place, defaultAccept: 'application/json' }
const launch = { data, environment: {}, heapMbMax: 256 }
console.log(JSON.stringify(await measureHandler(nodeWorkers(launch))))
await rm(folder, { recursive: true })
