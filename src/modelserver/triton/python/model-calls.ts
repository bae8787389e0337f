import { Buffer } from 'node:buffer'
import type { Log } from '../../log.ts'
import type { InferenceResponse } from '../backend.ts'
import { read } from '../json-reader.ts'
import { createOverride } from '../load-override.ts'
import { parseVersion } from '../parse-version.ts'
import { submit } from '../served-version.ts'
import type { IncomingRequest, ServedVersion } from '../served-version.ts'
import { ServingError, toServingError } from '../serving-error.ts'
import type { CustomMetrics } from './custom-metrics.ts'
import {
  FrameBody,
  parseTensors,
  readParameters,
  readValue,
  writeParameters,
} from './frame-tensors.ts'
import type { ModelCall, WorkerWish } from './messages.ts'
import type { OtherModels } from './other-models.ts'
import type { PythonProcess } from './python-process.ts'

type JsonObject = Readonly<Record<string, unknown>>

/** What the calls of one process need. */
export interface ModelCallsOptions {
  readonly process: PythonProcess
  readonly models: OtherModels
  readonly metrics: CustomMetrics
  /** Name of the instance, in Triton's messages and in the log. */
  readonly instanceName: string
  readonly log: Log
}

const SEQUENCE_START = 1
const SEQUENCE_END = 2

/** What the user code of one process asks of the server: inference by other models, their loads, metrics, the log. */
export class ModelCalls {
  readonly #options: ModelCallsOptions
  readonly #running = new Map<number, AbortController>()

  constructor(options: ModelCallsOptions) {
    this.#options = options
  }

  /** Takes what the process says. */
  take(number: number, wish: WorkerWish): void {
    const { log, metrics, instanceName, process } = this.#options
    switch (wish.kind) {
      case 'call':
        void this.#run(wish.call)
        return
      case 'end-call':
        this.#running.get(number)?.abort()
        return
      case 'metric-released':
        return metrics.release(process, wish.number)
      case 'log': {
        // There is no verbose log.
        const level = (['info', 'warn', 'error'] as const).find((one) => one === wish.level)
        if (level !== undefined) log(level, wish.message, { instance: instanceName })
      }
    }
  }

  /** The process is gone: nobody waits for what it asked. */
  close(): void {
    for (const running of this.#running.values()) running.abort()
    this.#options.metrics.releaseAll(this.#options.process)
  }

  async #run({ number, asked, body }: ModelCall): Promise<void> {
    try {
      if (asked['what'] === 'infer') return this.#infer(number, asked, body)
      this.#reply(number, { value: null, ...(await this.#answer(asked)) })
    } catch (error) {
      const { message } = toServingError(error)
      const where = `Failed to process the request for model '${this.#options.instanceName}'`
      this.#fail(number, new ServingError('INTERNAL', `${where}, message: ${message}`))
    }
  }

  async #answer(asked: JsonObject): Promise<JsonObject> {
    const { models, metrics, process } = this.#options
    const model = read.text(asked['model'])
    switch (asked['what']) {
      case 'load':
        await models.load(model, overrideOf(asked))
        return {}
      case 'unload':
        await models.unload(model, read.boolean(asked['withDependents']))
        return {}
      case 'readiness': {
        const version = read.text(asked['version'])
        return {
          value: await models.isReady(model, version === '' ? undefined : parseVersion(version)),
        }
      }
      case 'metric family':
        metrics.addFamily(process, {
          name: read.text(asked['name']),
          description: read.text(asked['description']),
          kind: read.text(asked['kind']),
        })
        return {}
      case 'new metric': {
        const { family, labels, buckets } = asked
        const series = { labels: read.texts(labels), buckets: read.numbers(buckets) }
        return { number: metrics.addMetric(process, read.text(family), series) }
      }
      case 'metric': {
        const value = read.number(asked['value'])
        const metric = read.number(asked['number'])
        return { value: metrics.change(metric, read.text(asked['operation']), value) }
      }
      default:
        throw new Error(`A Python worker does not ask for ${String(asked['what'])}.`)
    }
  }

  // Source of the sentences: Triton `request_executor.cc`.
  #infer(number: number, asked: JsonObject, body: Uint8Array): void {
    const model = read.text(asked['model'])
    const isDecoupled = read.boolean(asked['isDecoupled'])
    const running = new AbortController()
    this.#running.set(number, running)
    try {
      const served = this.#find(model, read.number(asked['version']))
      if (served.config.isDecoupled && !isDecoupled) throw undecoupled(model)
      submit(served, toRequest(asked, body, running.signal), {
        respond: (response, isFinal) => this.#respond(number, response, isFinal),
        fail: (error) => this.#fail(number, error),
      })
    } catch (error) {
      const { code, message } = toServingError(error)
      this.#fail(
        number,
        new ServingError(code, `Model ${model} - Error when running inference: ${message}`),
      )
    }
  }

  #find(model: string, version: number): ServedVersion {
    try {
      return this.#options.models.find(model, version < 0 ? undefined : version)
    } catch (error) {
      const { code } = toServingError(error)
      const message = `Failed for execute the inference request. Model '${model}' is not ready.`
      throw new ServingError(code, message)
    }
  }

  #respond(number: number, response: InferenceResponse, isFinal: boolean): void {
    const body = new FrameBody()
    const head = {
      outputs: body.add(response.outputs),
      parameters: writeParameters(response.parameters ?? new Map()),
    }
    this.#reply(number, head, { isFinal, parts: body.parts })
  }

  #fail(number: number, { code, message }: ServingError): void {
    this.#reply(number, { error: { code, message } })
  }

  #reply(
    number: number,
    head: JsonObject,
    { isFinal, parts }: { readonly isFinal: boolean; readonly parts: readonly Uint8Array[] } = LAST,
  ): void {
    if (isFinal) this.#running.delete(number)
    this.#options.process.reply(number, { ...head, isFinal }, parts)
  }
}

const LAST = { isFinal: true, parts: [] }

function toRequest(asked: JsonObject, body: Uint8Array, signal: AbortSignal): IncomingRequest {
  const flags = read.number(asked['flags'])
  const correlationId = readValue(asked['correlationId'])
  return {
    id: read.text(asked['id']),
    inputs: parseTensors(asked['inputs'], body),
    outputNames: Array.isArray(asked['outputs']) ? asked['outputs'].map(read.text) : [],
    parameters: readParameters(asked['parameters']),
    priority: 0,
    timeoutUs: read.number(asked['timeoutUs']),
    correlationId:
      typeof correlationId === 'bigint' || typeof correlationId === 'string' ? correlationId : 0n,
    isSequenceStart: (flags & SEQUENCE_START) !== 0,
    isSequenceEnd: (flags & SEQUENCE_END) !== 0,
    signal,
  }
}

function overrideOf(asked: JsonObject) {
  const config = read.text(asked['config'])
  const files = Object.entries(read.texts(asked['files'])).map(
    ([path, content]) => [path.replace(/^file:/, ''), Buffer.from(content, 'base64')] as const,
  )
  return createOverride(config === '' ? undefined : config, new Map(files))
}

function undecoupled(model: string): ServingError {
  return new ServingError(
    'INVALID_ARG',
    `Model ${model} is using the decoupled. The current BLS request call doesn't support models using the decoupled ` +
      "transaction policy. Please use 'decoupled=True' argument to the 'exec' or 'async_exec' calls for decoupled models.'",
  )
}
