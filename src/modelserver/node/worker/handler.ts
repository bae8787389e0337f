import type { Buffer } from 'node:buffer'
import { chooseFunctions } from './choose-functions.ts'
import { bodyFor, decodeBody, encodePrediction } from './content.ts'
import { callFunction, isFunction } from './defined-model.ts'
import type { UserFunctions } from './defined-model.ts'
import { HandlerContext } from './handler-context.ts'
import type { HandlerCall, ReplyHead } from './handler-context.ts'
import type { UserExports } from './user-module.ts'

/** What a handler gave. */
export interface HandlerReply extends ReplyHead {
  readonly value: unknown
}

/** The functions that serve one model: the user's where there are any, else the defaults. */
export class Handler {
  readonly #functions: UserFunctions
  readonly #modelDirectory: string
  readonly #defaultAccept: string
  #model: unknown

  constructor(exports: UserExports, modelDirectory: string, defaultAccept: string) {
    this.#functions = chooseFunctions(exports)
    this.#modelDirectory = modelDirectory
    this.#defaultAccept = defaultAccept
  }

  /** @returns what kind of thing the model is. */
  async load(): Promise<string> {
    const context = { modelDirectory: this.#modelDirectory }
    this.#model = await callFunction(this.#functions.modelFn, this.#modelDirectory, context)
    const model: unknown = this.#model
    return typeof model === 'object' && model !== null
      ? (model.constructor?.name ?? 'object')
      : typeof model
  }

  async invoke(body: Buffer, call: HandlerCall): Promise<HandlerReply> {
    const { 'content-type': contentType, accept: given = '' } = call.headers
    const accept = given === '' || given === '*/*' ? this.#defaultAccept : given
    const [modelDirectory, model] = [this.#modelDirectory, this.#model]
    const context = new HandlerContext({ ...call, modelDirectory, model, contentType, accept })
    const input = bodyFor(contentType, body)
    const { transformFn } = this.#functions
    const result: unknown =
      transformFn === undefined
        ? await this.#transform(input, context)
        : await callFunction(transformFn, model, input, contentType, accept, context)
    const [value, type] = isPair(result) ? result : [result, firstOf(accept)]
    return { value, ...context.replyHead(type) }
  }

  async #transform(body: string | Buffer, context: HandlerContext): Promise<unknown> {
    const { inputFn, predictFn = predictByModel, outputFn } = this.#functions
    const { contentType, accept } = context
    const input: unknown =
      inputFn === undefined
        ? decodeBody(body, contentType)
        : await callFunction(inputFn, body, contentType, context)
    const prediction: unknown = await callFunction(predictFn, input, this.#model, context)
    if (outputFn !== undefined) return callFunction(outputFn, prediction, accept, context)
    // Parts of a stream are sent as they come; there is no whole to encode.
    if (isStream(prediction)) return [prediction, firstOf(accept)]
    const encoded = encodePrediction(prediction, accept)
    return [encoded.body, encoded.contentType]
  }
}

/** Whether a value gives its parts one after the other, as generators do. */
export function isStream(value: unknown): value is AsyncIterable<unknown> | Iterable<unknown> {
  if (typeof value !== 'object' || value === null) return false
  return Symbol.asyncIterator in value || (Symbol.iterator in value && 'next' in value)
}

function predictByModel(input: unknown, model: unknown): unknown {
  if (isFunction(model)) return model(input)
  if (
    typeof model === 'object' &&
    model !== null &&
    'predict' in model &&
    isFunction(model.predict)
  ) {
    return Reflect.apply(model.predict, model, [input])
  }
  throw new Error(
    'Without predictFn, modelFn must return a function or an object with a function predict.',
  )
}

function isPair(result: unknown): result is readonly [unknown, string] {
  return Array.isArray(result) && result.length === 2 && typeof result[1] === 'string'
}

function firstOf(accept: string): string {
  return accept.split(',', 1)[0]?.trim() ?? ''
}
