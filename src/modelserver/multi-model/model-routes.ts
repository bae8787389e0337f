import type { Buffer } from 'node:buffer'
import { jsonReply } from '../image.ts'
import type { Invocation, Reply } from '../image.ts'
import { Rejection } from '../rejection.ts'
import type { LoadedModel, ModelRegistry, ModelToLoad } from './model-registry.ts'

const PAGE_SIZE = 100
// The platform's ids; also what Triton allows.
const MODEL_ID = /^[0-9A-Za-z._]{1,128}$/

/** Whether a path is about models. */
export function isModelPath(path: string): boolean {
  return path === '/models' || path.startsWith('/models/')
}

/**
 * Answers the model calls of a multi-model container.
 *
 * ```text
 * POST   /models               {"model_name", "url"}  → {"modelName", "modelUrl", "seat"?}
 * GET    /models?next_page_token=T                    → {"models": […], "nextPageToken"?}
 * GET    /models/ID                                   → {"modelName", "modelUrl"}
 * DELETE /models/ID                                   → {}
 * POST   /models/ID/invoke                            → the model's reply
 * ```
 *
 * Source: data-plane reference §9.3. `seat` is ours: the frame socket that leads to the model.
 *
 * @throws Rejection 404, 405, 409, 400, 507.
 */
export async function serveModelCall(
  invocation: Invocation,
  registry: ModelRegistry,
  signal: AbortSignal,
): Promise<Reply> {
  const { method, path } = invocation
  const [pathname = '', query = ''] = path.split('?', 2)
  if (pathname === '/models') {
    if (method === 'POST') return await load(invocation.body, registry)
    if (method === 'GET') return list(new URLSearchParams(query), registry)
    throw notTaken(pathname, 'GET and POST', method)
  }
  const [, , modelId = '', action, ...rest] = pathname.split('/')
  if (!MODEL_ID.test(modelId) || rest.length > 0) throw unknownPath(method, pathname)
  if (action === 'invoke') {
    if (method !== 'POST') throw notTaken(pathname, 'POST', method)
    return await registry.invoke(modelId, { ...invocation, path: '/invocations' }, signal)
  }
  if (action !== undefined) throw unknownPath(method, pathname)
  if (method === 'GET') return jsonReply(200, described(registry.find(modelId)))
  if (method !== 'DELETE') throw notTaken(pathname, 'GET and DELETE', method)
  await registry.unload(modelId)
  return jsonReply(200, {})
}

async function load(body: Buffer, registry: ModelRegistry): Promise<Reply> {
  const model = parseModel(body)
  const loaded = await registry.findSettled(model.modelId)
  if (loaded !== undefined) {
    const error = `Model ${model.modelId} is loaded already.`
    return jsonReply(409, { error, ...described({ ...model, seat: loaded.seat }) })
  }
  const { seat } = await registry.load(model)
  return jsonReply(200, described({ ...model, seat }))
}

function parseModel(body: Buffer): ModelToLoad {
  const { model_name: modelId, url: directory } = parseObject(body)
  if (typeof modelId !== 'string' || !MODEL_ID.test(modelId)) {
    throw new Rejection(400, 'model_name must be a text of letters, digits, dots and underscores.')
  }
  if (typeof directory !== 'string' || directory === '') {
    throw new Rejection(400, 'url must be the folder of the model.')
  }
  return { modelId, directory }
}

function parseObject(body: Buffer): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'))
    if (typeof parsed === 'object' && parsed !== null) return { ...parsed }
  } catch {
    // Said below.
  }
  throw new Rejection(400, 'The body must be a JSON object with model_name and url.')
}

// The token is the id after which the page begins: models that come and go in between disturb nothing.
function list(query: URLSearchParams, registry: ModelRegistry): Reply {
  const after = query.get('next_page_token') ?? ''
  const rest = registry.list().filter(({ modelId }) => modelId > after)
  const page = rest.slice(0, PAGE_SIZE)
  const last = page.at(-1)
  const nextPageToken = rest.length > page.length ? last?.modelId : undefined
  return jsonReply(200, { models: page.map(described), ...(nextPageToken && { nextPageToken }) })
}

function described({ modelId, directory, seat }: LoadedModel) {
  return { modelName: modelId, modelUrl: directory, ...(seat !== undefined && { seat }) }
}

function notTaken(path: string, expected: string, method: string): Rejection {
  return new Rejection(405, `${path} takes ${expected}, not ${method}.`)
}

function unknownPath(method: string, path: string): Rejection {
  return new Rejection(404, `No model call is ${method} ${path}.`)
}
