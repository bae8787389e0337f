import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { exchange, recordRequest, type Exchange } from './exchange.ts'
import { maskResponse } from './mask.ts'
import { startOracle, stopOracle } from './oracle.ts'
import { PROTOCOL_REQUESTS, SHARED_KEY } from './protocol-requests.ts'

const FLAGS = [
  '--model-control-mode=explicit',
  '--exit-on-error=false',
  '--trace-config=level=OFF',
  '--trace-config=triton,file=<dir>/trace.json',
]

/** What the extensions of the protocol say, and what is in the files of traces after them. */
export interface RecordedProtocol {
  readonly flags: readonly string[]
  readonly exchanges: readonly Exchange[]
  /** Content of files of traces by their names; times are 0. */
  readonly traces: Readonly<Record<string, unknown>>
}

/** Asks a tritonserver that has a copy of the models in a folder. */
export async function recordProtocol(directory: string, models: string): Promise<RecordedProtocol> {
  const repository = join(directory, 'protocol')
  cpSync(models, repository, { recursive: true })
  const key = `/berth-record-${process.pid}`
  writeFileSync(`/dev/shm${key}`, new Uint8Array(Float32Array.from(Array(16).keys()).buffer))
  const flags = [...FLAGS, '--load-model=*'].map((flag) => flag.replace('<dir>', directory))
  const oracle = await startOracle({ directory, repository, flags })
  const exchanges: Exchange[] = []
  try {
    for (const ask of PROTOCOL_REQUESTS) {
      const request = recordRequest(ask)
      const real = JSON.parse(JSON.stringify(request).replaceAll(SHARED_KEY, key)) as typeof request
      const response = maskResponse(await exchange(oracle.port, real), directory)
      const masked = JSON.stringify(response).replaceAll(key, SHARED_KEY)
      exchanges.push({ name: ask.name, request, response: JSON.parse(masked) as typeof response })
    }
  } finally {
    await stopOracle(oracle)
    rmSync(`/dev/shm${key}`)
  }
  return { flags: FLAGS, exchanges, traces: readTraces(directory) }
}

function readTraces(directory: string): Readonly<Record<string, unknown>> {
  const names = readdirSync(directory).filter((name) => name.startsWith('trace.json'))
  return Object.fromEntries(
    names.toSorted().map((name) => {
      const text = readFileSync(join(directory, name), 'utf8')
      return [name, JSON.parse(text.replaceAll(/"ns":\d+/g, '"ns":0'))]
    }),
  )
}
