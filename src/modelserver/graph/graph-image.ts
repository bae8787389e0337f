import { existsSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseRootCredentials } from '../../domain/credentials.ts'
import { GRAPH_DEPTH_HEADER, GRAPH_DEPTH_MAX, parseGraphDepth } from '../../domain/graph/depth.ts'
import { NODE_COUNTERS_PATH } from '../../domain/graph/node-counters.ts'
import type { CallTarget } from '../../domain/graph/graph.ts'
import { listTargets } from '../../domain/graph/plan-graph.ts'
import type { GraphPlan } from '../../domain/graph/plan-graph.ts'
import type { JsonObject } from '../../domain/json.ts'
import { CONTAINERS_VARIABLE, parseSiblings } from '../../domain/sibling-containers.ts'
import { compileExpression } from '../../wire/graph/expression.ts'
import type { Evaluate } from '../../wire/graph/expression.ts'
import {
  GRAPH_FILE,
  GRAPH_VARIABLE,
  GraphRefusal,
  parseGraph,
} from '../../wire/graph/parse-graph.ts'
import { ImageFrames } from '../frames/image-frames.ts'
import { jsonReply } from '../image.ts'
import type { Image, Invocation, Reply } from '../image.ts'
import type { Log } from '../log.ts'
import { StartFailure } from '../start-failure.ts'
import { createContainerCaller } from './container-caller.ts'
import { Databases } from './data/databases.ts'
import { Document } from './document.ts'
import { createEndpointCaller } from './endpoint-caller.ts'
import type { CallTargetOf, Platform } from './endpoint-caller.ts'
import { Guard } from './guard.ts'
import { NodeFailure } from './node-failure.ts'
import { NodeStatistics } from './node-statistics.ts'
import { replyOf, summarise } from './report.ts'
import { runNode } from './run-node.ts'
import type { BranchReport, Machinery } from './run.ts'
import { withinTime } from './time-limit.ts'

type Variables = Readonly<Record<string, string | undefined>>

/** What `berth/graph` needs. */
export interface GraphImageOptions {
  readonly modelDirectory: string
  readonly environment: Variables
  /** The installation's keys, for endpoints; the container's own `AWS_…` variables go before it. */
  readonly credentialsFile: string | undefined
  readonly socketPath: string | undefined
  readonly bodyBytesMax: number
  readonly log: Log
}

// Bodies that are being answered.
const HELD_BYTES_MAX = 1024 * 1024 * 1024
const ATTRIBUTES_HEADER = 'x-amzn-sagemaker-custom-attributes'
const PASSED_HEADERS = [ATTRIBUTES_HEADER, 'x-amzn-sagemaker-inference-id']

/**
 * Starts `berth/graph`: reads the description and answers by it.
 *
 * @throws StartFailure `modelMissing`, `modelInvalid`: no description, or a wrong one; or it calls what cannot be called.
 */
export async function startGraphImage(options: GraphImageOptions): Promise<Image> {
  const { log } = options
  const plan = readPlan(options)
  const statistics = new NodeStatistics(log)
  const databases = new Databases({ ...options, plan })
  const machinery = createMachinery(plan, options, { statistics, databases })
  const image: Image = {
    get frameSuffixes() {
      return frames.suffixes
    },
    tellByPath: new Map([[NODE_COUNTERS_PATH, () => statistics.counters()]]),
    usedCount: () => frames.servedCount,
    drain: () => frames.close(),
    close: () => {
      statistics.close()
      return databases.close()
    },
    ping: () => Promise.resolve({ status: 200, headers: {}, body: new Uint8Array() }),
    invoke: (invocation, signal) => answer(invocation, { plan, machinery }, signal),
  }
  const frames = new ImageFrames(image, { ...options, heldBytesMax: HELD_BYTES_MAX })
  await frames.listen()
  return image
}

function readPlan({ modelDirectory, environment }: GraphImageOptions): GraphPlan {
  const given = environment[GRAPH_VARIABLE]
  const file = join(modelDirectory, GRAPH_FILE)
  if (given === undefined && !existsSync(file)) {
    const what = `The model data has no ${GRAPH_FILE}, and ${GRAPH_VARIABLE} is not set.`
    throw new StartFailure('modelMissing', what)
  }
  try {
    return given === undefined
      ? parseGraph(readFileSync(file, 'utf8'))
      : parseGraph(given, GRAPH_VARIABLE)
  } catch (error) {
    if (error instanceof GraphRefusal) throw new StartFailure('modelInvalid', error.message)
    throw error
  }
}

function createMachinery(
  plan: GraphPlan,
  options: GraphImageOptions,
  { statistics, databases }: { readonly statistics: NodeStatistics; readonly databases: Databases },
): Machinery {
  const compiled = new Map<string, Evaluate>()
  const targets = listTargets(plan)
  const containerCount = targets.filter(({ kind }) => kind === 'container').length
  // Containers that are asked at the same time need the cores that a polling graph would keep busy (decision 0011).
  const isPolling = availableParallelism() > containerCount
  const callers = new Map(
    targets.map((target) => [keyOf(target), createCaller(target, options, isPolling)]),
  )
  const guards = new Map(
    plan.nodes.flatMap(({ name, step }) =>
      step.kind === 'call' && (step.breaker ?? step.hedge) !== undefined
        ? [[name, new Guard(step)] as const]
        : [],
    ),
  )
  return {
    evaluate: (text) => {
      const known = compiled.get(text) ?? compileExpression(text)
      compiled.set(text, known)
      return known
    },
    callerOf: (target) => {
      const caller = callers.get(keyOf(target))
      if (caller === undefined) throw new Error(`no caller of ${keyOf(target)}`)
      return caller
    },
    guardOf: (name) => guards.get(name),
    databases,
    recordNode: (name, tookMs, failure) => statistics.record(name, tookMs, failure),
  }
}

function keyOf({ kind, name }: CallTarget): string {
  return `${kind} ${name}`
}

function createCaller(
  target: CallTarget,
  options: GraphImageOptions,
  isPolling: boolean,
): CallTargetOf {
  if (target.kind === 'endpoint') return createEndpointCaller(target.name, platformOf(options))
  const siblings = parseSiblings(options.environment[CONTAINERS_VARIABLE])
  const sibling = siblings.find(({ hostname }) => hostname === target.name)
  if (sibling !== undefined) return createContainerCaller(sibling, isPolling)
  const known = siblings.map(({ hostname }) => hostname).join(', ') || 'none'
  const what = `The graph calls container ${target.name}; the model's containers are: ${known}.`
  throw new StartFailure('modelInvalid', what)
}

function platformOf({ environment, credentialsFile }: GraphImageOptions): Platform {
  const { AWS_ENDPOINT_URL, AWS_REGION = 'us-east-1' } = environment
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = environment
  if (AWS_ENDPOINT_URL === undefined || !AWS_ENDPOINT_URL.startsWith('http://')) {
    const what = `The graph calls endpoints; AWS_ENDPOINT_URL must be an http:// URL, not ${AWS_ENDPOINT_URL ?? 'absent'}.`
    throw new StartFailure('badOptions', what)
  }
  const place = { url: new URL(AWS_ENDPOINT_URL), region: AWS_REGION }
  if (AWS_ACCESS_KEY_ID !== undefined && AWS_SECRET_ACCESS_KEY !== undefined) {
    const keys = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY }
    return { ...place, ...keys, sessionToken: AWS_SESSION_TOKEN }
  }
  if (credentialsFile === undefined) {
    throw new StartFailure('badOptions', 'The graph calls endpoints and has no credentials.')
  }
  const text = readFileSync(credentialsFile, 'utf8')
  const { accessKeyId, secretAccessKey } = parseRootCredentials(credentialsFile, text)
  return { ...place, accessKeyId, secretAccessKey, sessionToken: undefined }
}

async function answer(
  { headers, body }: Invocation,
  { plan, machinery }: { readonly plan: GraphPlan; readonly machinery: Machinery },
  signal: AbortSignal,
): Promise<Reply> {
  const branches: BranchReport[] = []
  try {
    const depth = parseGraphDepth(headers[GRAPH_DEPTH_HEADER])
    if (depth === undefined) throw tooDeep()
    const request = Document.ofBytes(headers['content-type'], body)
    const passedHeaders = Object.fromEntries(
      PASSED_HEADERS.flatMap((name) => {
        const value = headers[name]
        return value === undefined ? [] : [[name, value]]
      }),
    )
    const attributes = parseAttributes(headers[ATTRIBUTES_HEADER])
    const run = { machinery, request, attributes, passedHeaders, depth, branches }
    const answered = await withinTime('The graph', plan.timeoutMs, signal, (limit) =>
      runNode(plan.root, request, run, { steps: {}, signal: limit }),
    )
    return replyOf(answered, branches, plan.report)
  } catch (error) {
    if (!(error instanceof NodeFailure)) throw error
    const told = branches.length === 0 ? {} : { graph: summarise(branches) }
    return jsonReply(error.status, { error: error.message, ...told })
  }
}

function tooDeep(): NodeFailure {
  const what = `The call has come through more than ${GRAPH_DEPTH_MAX} graphs`
  return new NodeFailure(`${what}: one of them reaches itself through its endpoints.`, 400)
}

function parseAttributes(header: string | undefined): JsonObject {
  const pairs = (header ?? '').split(';').flatMap((part) => {
    const at = part.indexOf('=')
    return at < 0 ? [] : [[part.slice(0, at).trim(), part.slice(at + 1).trim()]]
  })
  return Object.fromEntries(pairs)
}
