import { Agent, request } from 'node:http'
import type { InstanceAddress } from '../../domain/fleet.ts'
import type { ContainerAnswer, ListedModel, ModelContainer } from '../../ports/model-container.ts'

// A sentence of a failure is quoted; a traceback's last kilobytes say as much.
const BODY_BYTES_MAX = 1024 * 1024
const DETAIL_CHARS_MAX = 1_000
const TARGET_HEADER = 'X-Amzn-SageMaker-Target-Model'
const PAGES_MAX = 1_000

/** What the reply to one call said. */
interface Answer {
  readonly status: number
  readonly body: string
}

interface Ask {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  readonly targetModel?: string
  readonly json?: unknown
}

/** Speaks the model calls of multi-model containers over HTTP. */
export function createModelContainer(): ModelContainer {
  const agent = new Agent({ keepAlive: true })
  return {
    async load(address, { modelId, directory, targetModel }, signal) {
      const json = { model_name: modelId, url: directory }
      return answerOf({ method: 'POST', path: '/models', targetModel, json }, address, {
        agent,
        signal,
      })
    },
    unload: (address, { modelId, targetModel }, signal) =>
      answerOf({ method: 'DELETE', path: `/models/${modelId}`, targetModel }, address, {
        agent,
        signal,
      }),
    list: (address, signal) => list(address, { agent, signal }),
  }
}

interface Surroundings {
  readonly agent: Agent
  readonly signal: AbortSignal
}

async function answerOf(
  ask: Ask,
  address: InstanceAddress,
  surroundings: Surroundings,
): Promise<ContainerAnswer> {
  let answer: Answer
  try {
    answer = await send(ask, address, surroundings)
  } catch (error) {
    return { kind: 'unreachable', detail: error instanceof Error ? error.message : String(error) }
  }
  const { status, body } = answer
  const detail = describe(body)
  if (status >= 200 && status < 300) return { kind: 'done', seat: seatOf(body) }
  if (status === 409) return { kind: 'present', seat: seatOf(body) }
  if (status === 404) return { kind: 'absent' }
  if (status === 507) return { kind: 'full', detail }
  return { kind: 'refused', status, detail }
}

// Page by page. What cannot be read ends the list: it is a hint, and what it lacks is found out otherwise.
async function list(
  address: InstanceAddress,
  surroundings: Surroundings,
): Promise<readonly ListedModel[] | undefined> {
  const listed: ListedModel[] = []
  let token: string | undefined
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const query = token === undefined ? '' : `?next_page_token=${encodeURIComponent(token)}`
    const answer = await send({ method: 'GET', path: `/models${query}` }, address, surroundings)
      .then(({ status, body }) => (status === 200 ? parseObject(body) : undefined))
      .catch(() => undefined)
    if (answer === undefined) return page === 0 ? undefined : listed
    const { models, nextPageToken } = answer
    // Triton adds an empty object for each model that is not ready.
    for (const model of Array.isArray(models) ? models : []) {
      const { modelName, seat } = Object(model) as Readonly<Record<string, unknown>>
      if (typeof modelName === 'string') listed.push({ modelId: modelName, seat: asSeat(seat) })
    }
    if (typeof nextPageToken !== 'string' || nextPageToken === '') return listed
    token = nextPageToken
  }
  return listed
}

function send(
  { method, path, targetModel, json }: Ask,
  address: InstanceAddress,
  { agent, signal }: Surroundings,
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const target =
    address.kind === 'socket'
      ? { socketPath: address.path }
      : { host: address.host, port: address.port }
  const body = json === undefined ? undefined : JSON.stringify(json)
  const headers = {
    ...(body !== undefined && {
      'Content-Type': 'application/json',
      'Content-Length': String(Buffer.byteLength(body)),
    }),
    ...(targetModel !== undefined && { [TARGET_HEADER]: targetModel }),
  }
  const asking = request({ ...target, method, path, headers, agent, signal }, (reply) => {
    const chunks: Buffer[] = []
    let bytes = 0
    reply.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= BODY_BYTES_MAX) chunks.push(chunk)
    })
    reply.on('end', () =>
      resolve({ status: reply.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
    )
    reply.on('error', reject)
  })
  asking.on('error', reject)
  asking.end(body)
  return promise
}

function seatOf(body: string): number | undefined {
  return asSeat(parseObject(body)?.['seat'])
}

function asSeat(seat: unknown): number | undefined {
  return typeof seat === 'number' && Number.isSafeInteger(seat) && seat >= 0 ? seat : undefined
}

/** The sentence in an error body, whatever the container's habit: `{"error"}`, `{"message"}` or text. */
function describe(body: string): string {
  const { error, message } = parseObject(body) ?? {}
  const said = [error, message].find((value) => typeof value === 'string') ?? body.trim()
  return String(said).slice(0, DETAIL_CHARS_MAX)
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(text)
    return typeof parsed === 'object' && parsed !== null
      ? (parsed as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}
