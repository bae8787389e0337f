import { request } from 'node:http'
import { text } from 'node:stream/consumers'

import { encodeSiblings } from '../../src/domain/sibling-containers.ts'
import { ModelServerProcess } from './echo-container.ts'

/** Where a graph runs. */
export interface GraphSurroundings {
  readonly siblings?: readonly { readonly hostname: string; readonly path: string }[]
  readonly environment?: Readonly<Record<string, string>>
  readonly modelDirectory?: string
  readonly onOutput?: (text: string) => void
}

/** Starts `berth/graph` alone, without a platform. */
export function startGraph(
  description: object,
  { siblings = [], environment = {}, modelDirectory, onOutput }: GraphSurroundings = {},
): Promise<ModelServerProcess> {
  const places = siblings.map(({ hostname, path }) => {
    return { hostname, http: { kind: 'socket', path } as const }
  })
  const directory = modelDirectory === undefined ? [] : [`--model-directory=${modelDirectory}`]
  const variables = {
    ...environment,
    BERTH_GRAPH: JSON.stringify({ version: 1, ...description }),
    BERTH_CONTAINERS: encodeSiblings(places),
  }
  const args = ['--image=berth/graph', ...directory]
  return ModelServerProcess.start(args, undefined, variables, onOutput)
}

/** What a graph answered. */
export interface GraphAnswer {
  readonly status: number | undefined
  readonly value: unknown
  /** Of CustomAttributes. */
  readonly told: unknown
}

/** Asks a model server by its socket. @param attributes CustomAttributes: `key=value;…`. */
export async function askGraph(
  socketPath: string,
  body: string,
  attributes = '',
): Promise<GraphAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<GraphAnswer>()
  const headers = {
    'content-type': 'application/json',
    'x-amzn-sagemaker-custom-attributes': attributes,
  }
  const asking = request({ socketPath, path: '/invocations', method: 'POST', headers }, (reply) => {
    const told = reply.headers['x-amzn-sagemaker-custom-attributes']
    text(reply).then((answer) => {
      const value: unknown = JSON.parse(answer)
      resolve({ status: reply.statusCode, value, told: JSON.parse(String(told ?? '{}')) })
    }, reject)
  })
  asking.once('error', reject)
  asking.end(body)
  return promise
}
