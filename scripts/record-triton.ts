// Asks a real tritonserver tables of requests and writes what it says: recorded.json, python-recorded.json and configs.json
// in test/fixtures/triton. Run: node scripts/record-triton.ts [exchanges|python|configs]   (Linux x64, Python 3.8 to 3.13; the first run fetches 90 MB from PyPI)
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { BINARY_REQUESTS } from './record-triton/binary-requests.ts'
import { CONFIGS, type ConfigAsk } from './record-triton/configs.ts'
import { exchange, recordRequest, type Ask, type Exchange } from './record-triton/exchange.ts'
import { INFER_REQUESTS } from './record-triton/infer-requests.ts'
import { maskResponse, maskText } from './record-triton/mask.ts'
import { killOracle, startOracle, stopOracle, type Oracle } from './record-triton/oracle.ts'
import { PYTHON_REQUESTS } from './record-triton/python-requests.ts'
import { SERVER_REQUESTS } from './record-triton/server-requests.ts'

const FIXTURES = resolve(import.meta.dirname, '../test/fixtures/triton')
const REQUESTS: readonly Ask[] = [...INFER_REQUESTS, ...BINARY_REQUESTS, ...SERVER_REQUESTS]
const FLAGS = ['--model-control-mode=explicit', '--exit-on-error=false']

type Recorded = Exchange | (Omit<Exchange, 'response'> & { readonly crashed: true })

/** What loading a configuration led to. */
interface RecordedConfig extends ConfigAsk {
  readonly model: string
  /** Reply of the load; empty when it succeeded. */
  readonly error?: string
  /** Line of the log that says where the text is wrong. */
  readonly syntaxError?: string
  /** Line of the log that says what is wrong with a text that could be read. */
  readonly pollError?: string
  /** The server hangs on it or ends. */
  readonly lost?: string
  /** `GET …/config` after a load that succeeded. */
  readonly config?: unknown
}

const directory = mkdtempSync(join(tmpdir(), 'record-triton-'))
try {
  const [only] = process.argv.slice(2)
  const isWanted = (part: string): boolean => only === undefined || only === part
  if (isWanted('exchanges')) {
    const flags = [...FLAGS, '--load-model=*']
    const exchanges = await recordExchanges('repository', REQUESTS, flags)
    write('recorded.json', { flags: FLAGS, exchanges })
  }
  if (isWanted('python')) {
    const exchanges = await recordExchanges('python-repository', PYTHON_REQUESTS, FLAGS)
    write('python-recorded.json', { flags: FLAGS, exchanges })
  }
  if (isWanted('configs')) write('configs.json', await recordConfigs())
} finally {
  rmSync(directory, { recursive: true, force: true })
}

async function recordExchanges(
  name: string,
  requests: readonly Ask[],
  flags: readonly string[],
): Promise<Recorded[]> {
  const repository = join(directory, name)
  cpSync(join(FIXTURES, name), repository, { recursive: true })
  const launch = { directory, repository, flags }
  let oracle = await startOracle(launch)
  const exchanges: Recorded[] = []
  try {
    for (const ask of requests) {
      const recorded = await recordExchange(oracle, ask)
      exchanges.push(recorded)
      if ('crashed' in recorded) oracle = await startOracle(launch)
    }
    return exchanges
  } finally {
    await stopOracle(oracle)
  }
}

/** Some requests end this release of tritonserver; that is noted too. */
async function recordExchange(oracle: Oracle, ask: Ask): Promise<Recorded> {
  const request = recordRequest(ask)
  try {
    const response = await exchange(oracle.port, request)
    return { name: ask.name, request, response: maskResponse(response, directory) }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error
    console.log(`${ask.name}: the server ended`)
    await stopOracle(oracle)
    return { name: ask.name, request, crashed: true }
  }
}

async function recordConfigs(): Promise<RecordedConfig[]> {
  const repository = join(directory, 'configs')
  const plain = join(FIXTURES, 'repository/matrix')
  cpSync(plain, join(repository, 'plain'), { recursive: true })
  writeFileSync(
    join(repository, 'plain/config.pbtxt'),
    'backend: "python"\ninput { name: "INPUT0" data_type: TYPE_FP32 dims: [ 2 ] }\noutput { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ 2 ] }\ninstance_group { kind: KIND_CPU }\n',
  )
  const models = CONFIGS.map((ask, index) => ({ ...ask, model: `m${index}` }))
  for (const { model, text } of models) {
    mkdirSync(join(repository, model, '1'), { recursive: true })
    cpSync(join(plain, '1/model.py'), join(repository, model, '1/model.py'))
    writeFileSync(join(repository, model, 'config.pbtxt'), text)
  }
  const launch = { directory, repository, flags: FLAGS }
  let oracle = await startOracle(launch)
  const recorded: RecordedConfig[] = []
  try {
    for (const model of models) {
      const config = await recordConfig(oracle, model)
      recorded.push(config)
      if (config.lost === undefined) continue
      console.log(`${config.name}: the server ${config.lost}`)
      await killOracle(oracle)
      oracle = await startOracle(launch)
    }
    return recorded
  } finally {
    await stopOracle(oracle)
  }
}

async function recordConfig(
  oracle: Oracle,
  ask: ConfigAsk & { readonly model: string },
): Promise<RecordedConfig> {
  const logged = oracle.log().length
  try {
    const outcome = await loadConfig(`http://127.0.0.1:${oracle.port}/v2`, ask.model)
    return { ...ask, ...outcome, ...readLog(oracle.log().slice(logged)) }
  } catch (error) {
    return { ...ask, lost: (error as Error).name === 'TimeoutError' ? 'hangs' : 'ends' }
  }
}

/** The reply to a load does not say what is wrong with a configuration; the log does. */
function readLog(text: string): Pick<RecordedConfig, 'syntaxError' | 'pollError'> {
  const syntax = /Error parsing text-format inference\.ModelConfig: (.*)/.exec(text)?.[1]
  const poll = /"Poll failed for model directory '\w+': (.*)"$/m.exec(text)?.[1]
  return {
    ...(syntax === undefined ? {} : { syntaxError: syntax }),
    ...(poll === undefined ? {} : { pollError: maskText(poll, directory) }),
  }
}

async function loadConfig(url: string, model: string) {
  const options = (): RequestInit => ({ method: 'POST', signal: AbortSignal.timeout(10_000) })
  const load = `${url}/repository/models/${model}`
  const loaded = await fetch(`${load}/load`, options())
  const body = await loaded.text()
  if (loaded.status !== 200) {
    return { error: maskText((JSON.parse(body) as { error: string }).error, directory) }
  }
  const config: unknown = await (await fetch(`${url}/models/${model}/config`)).json()
  await fetch(`${load}/unload`, options())
  return { config }
}

function write(file: string, value: unknown): void {
  writeFileSync(join(FIXTURES, file), `${JSON.stringify(value, undefined, 1)}\n`)
  console.log(`${file}: ${readFileSync(join(FIXTURES, file)).length} bytes`)
}
