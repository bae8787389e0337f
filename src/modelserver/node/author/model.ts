/// <reference lib="esnext.float16" preserve="true" />
/*
 * What user code imports as `berth/model`. It stands alone: its declarations are published as they are.
 */

/** Datatypes of tensors, as the Open Inference Protocol spells them. */
export type Datatype = keyof TensorDataByDatatype

/** Elements in row-major order. BOOL: 0 and 1; BF16: its bits; BYTES: one array of bytes an element. */
export interface TensorDataByDatatype {
  readonly BOOL: Uint8Array
  readonly UINT8: Uint8Array
  readonly UINT16: Uint16Array
  readonly UINT32: Uint32Array
  readonly UINT64: BigUint64Array
  readonly INT8: Int8Array
  readonly INT16: Int16Array
  readonly INT32: Int32Array
  readonly INT64: BigInt64Array
  readonly FP16: Float16Array
  readonly FP32: Float32Array
  readonly FP64: Float64Array
  readonly BF16: Uint16Array
  readonly BYTES: readonly Uint8Array[]
}

/** An input or output as the signature declares it. */
export interface TensorSpec<D extends Datatype = Datatype> {
  readonly datatype: D
  /** Sizes without the batch dimension; -1 is any size. */
  readonly dims: readonly number[]
}

/** Inputs or outputs by name. */
export type TensorSpecs = Readonly<Record<string, TensorSpec>>

/** What a model takes and gives. */
export interface ModelSignature<I extends TensorSpecs, O extends TensorSpecs> {
  readonly inputs: I
  readonly outputs: O
  /**
   * Rows that may run together. With 1 or more, tensors have a batch dimension in front of their `dims`, and `predict` may
   * get the rows of several requests at once.
   *
   * @defaultValue 0: no batch dimension
   */
  readonly maxBatchSize?: number
  /** Whether `predict` is an async generator whose every value is a response. @defaultValue false */
  readonly isDecoupled?: boolean
}

/** A tensor that a model is given. */
export interface InputTensor<D extends Datatype = Datatype> {
  readonly datatype: D
  readonly shape: readonly number[]
  readonly data: TensorDataByDatatype[D]
}

/** A tensor that a model gives; texts may be strings. */
export interface OutputTensor<D extends Datatype = Datatype> {
  readonly shape: readonly number[]
  readonly data: D extends 'BYTES' ? readonly (string | Uint8Array)[] : TensorDataByDatatype[D]
}

/** The tensors that `predict` is given, by name. */
export type Inputs<I extends TensorSpecs> = {
  readonly [N in keyof I]: InputTensor<I[N]['datatype']>
}

/** The tensors that `predict` gives, by name. */
export type Outputs<O extends TensorSpecs> = {
  readonly [N in keyof O]: OutputTensor<O[N]['datatype']>
}

/** What `load` is told. */
export interface LoadContext {
  /** Folder of the model data: `model.tar.gz`, unpacked. */
  readonly modelDirectory: string
}

/** What `predict` knows of an invocation of a model that reads bodies. */
export interface CallContext<M> extends LoadContext {
  /** What `load` returned. */
  readonly model: M
  readonly requestId: string
  /** Aborts when the caller has left or the invocation's deadline has passed. */
  readonly signal: AbortSignal
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly contentType: string | undefined
  readonly accept: string
  /** Both may be taken out of the context: `predict(input, { setStatus })`. */
  readonly setStatus: (status: number) => void
  readonly setHeader: (name: string, value: string) => void
}

/** One of the requests whose rows `predict` is given, in their order. */
export interface RequestHead {
  readonly id: string
  readonly rowCount: number
  readonly parameters: Readonly<Record<string, string | number | bigint | boolean>>
}

/** What `predict` knows of the requests to a model of tensors. */
export interface TensorContext<M> extends LoadContext {
  /** What `load` returned. */
  readonly model: M
  /** Aborts when nobody waits for any of the requests. */
  readonly signal: AbortSignal
  readonly requests: readonly RequestHead[]
}

type Awaitable<T> = T | Promise<T>
type Streamed<T> = AsyncIterable<T>

/** A model with a signature: tensors in, tensors out. */
export interface TensorModel<I extends TensorSpecs, O extends TensorSpecs, M> {
  readonly signature: ModelSignature<I, O>
  /** Runs once in each worker. */
  load?(context: LoadContext): Awaitable<M>
  predict(
    inputs: Inputs<I>,
    context: TensorContext<M>,
  ): Awaitable<Outputs<O>> | Streamed<Outputs<O>>
}

/** A model without a signature: a body in, a body out. */
export interface BodyModel<M, Input, Output> {
  readonly signature?: undefined
  /** Runs once in each worker. */
  load?(context: LoadContext): Awaitable<M>
  /** The body's meaning. Without it: JSON, CSV and npy become values and arrays. */
  decode?(body: string | Uint8Array, context: CallContext<M>): Awaitable<Input>
  predict(input: Input, context: CallContext<M>): Awaitable<Output> | Streamed<Output>
  /** The body for a prediction, or with its content type. Without it: JSON, CSV or npy, as `Accept` names first. */
  encode?(output: Output, context: CallContext<M>): Awaitable<EncodedBody>
}

/** A body, or a body and its content type. */
export type EncodedBody = string | Uint8Array | readonly [body: string | Uint8Array, type: string]

const MODEL = Symbol.for('berth.model')

/** Marks a model: the default export of `inference.ts`, or of `model.ts` in a Triton repository. */
export function defineModel<
  const I extends TensorSpecs,
  const O extends TensorSpecs,
  M = undefined,
>(model: TensorModel<I, O, M>): TensorModel<I, O, M>
export function defineModel<M = undefined, Input = unknown, Output = unknown>(
  model: BodyModel<M, Input, Output>,
): BodyModel<M, Input, Output>
export function defineModel(model: object): object {
  return Object.assign(model, { [MODEL]: true })
}

/** Whether a value has come from {@link defineModel}, of whichever copy of this module. */
export function isDefinedModel(value: unknown): value is object {
  return typeof value === 'object' && value !== null && MODEL in value
}

/** An error whose status and message, and nothing else, the caller is to see. */
export class StatusError extends Error {
  readonly statusCode: number

  /** @param statusCode 400 to 599 */
  constructor(statusCode: number, message: string) {
    super(message)
    this.name = 'StatusError'
    this.statusCode = statusCode
  }
}

/** The elements of a BYTES tensor as texts. @throws TypeError one is not UTF-8. */
export function textsOf({ data }: InputTensor<'BYTES'>): readonly string[] {
  const utf8 = new TextDecoder('utf-8', { fatal: true })
  return data.map((bytes) => utf8.decode(bytes))
}
