import { BerthError } from '../../domain/errors.ts'
import type { Exchange } from '../deps.ts'
import { sendJson } from '../reply.ts'
import { describeEndpointInside } from './endpoint.ts'
import { listEndpointEvents } from './events.ts'
import { streamLogs } from './logs.ts'

/** One route of Berth's own API. All are GET. */
interface Route {
  readonly path: RegExp
  /** Answers with the value as JSON; `undefined` when it has answered itself. */
  readonly answer: (
    match: readonly string[],
    query: URLSearchParams,
    exchange: Exchange,
  ) => Promise<unknown>
}

const ROUTES: readonly Route[] = [
  {
    path: /^\/berth\/platform$/,
    answer: (_match, _query, { deps }) => deps.describePlatform(),
  },
  {
    path: /^\/berth\/events$/,
    answer: (_match, query, { deps }) => listEndpointEvents(query, deps),
  },
  {
    path: /^\/berth\/endpoints\/([a-zA-Z0-9-]+)$/,
    answer: ([, name = ''], query, { deps }) => describeEndpointInside(name, query, deps),
  },
  {
    path: /^\/berth\/endpoints\/([a-zA-Z0-9-]+)\/logs$/,
    answer: ([, name = ''], query, exchange) => streamLogs(name, query, exchange),
  },
]

/** Answers a request of Berth's own API, whose signature is verified. */
export async function answerBerthRoute(path: string, exchange: Exchange): Promise<void> {
  const { method = '', url = '' } = exchange.request
  for (const route of method === 'GET' ? ROUTES : []) {
    const match = route.path.exec(path)
    if (match === null) continue
    const queryStart = url.indexOf('?')
    const query = new URLSearchParams(queryStart < 0 ? '' : url.slice(queryStart + 1))
    const value = await route.answer(match, query, exchange)
    if (value !== undefined) sendJson(exchange, JSON.stringify(value))
    return
  }
  throw new BerthError(
    'UnknownOperationException',
    `Berth has no route ${method} ${path.slice(0, 200)}.`,
  )
}
