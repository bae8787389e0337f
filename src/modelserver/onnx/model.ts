import { Buffer } from 'node:buffer'
import { bindRequest } from '../codecs/bind.ts'
import { chooseReplyType, parseContentType } from '../codecs/media-type.ts'
import { decidePresentation } from '../codecs/presentation.ts'
import type { Presentation } from '../codecs/presentation.ts'
import { encodeReply } from '../codecs/reply.ts'
import { parseRequest } from '../codecs/request.ts'
import { mismatch } from '../codecs/signature.ts'
import type { NamedTensor } from '../codecs/tensor.ts'
import { Rejection } from '../rejection.ts'
import { StartFailure } from '../start-failure.ts'
import type { ModelFiles } from './find-model.ts'
import { FileSource } from './file-source.ts'
import { explainLoadError, invalidFile, withoutSourcePath } from './load-failure.ts'
import { readOutline } from './outline.ts'
import type { Outline } from './outline.ts'
import { ProtobufError } from './protobuf.ts'
import type { ByteSource } from './protobuf.ts'
import { createSession } from './session.ts'
import type { Session } from './session.ts'
import { withoutZipMaps } from './zipmap.ts'

/** A model ready to answer. */
export interface Model {
  readonly session: Session
  readonly presentation: Presentation
}

/**
 * Loads a model.
 *
 * @throws StartFailure `modelInvalid`, `modelUnsupported`, `modelMissing` or `labelsInvalid`, in words.
 */
export async function loadModel({ path, name, labels }: ModelFiles): Promise<Model> {
  using source = openModel(path, name)
  const outline = outlineOf(source, name)
  // A rewritten model is loaded from bytes; weights in a file beside it would then not be found.
  const replaced = outline.zipMaps.length === 0 ? undefined : withoutZipMaps(source, outline)
  const session = await createSession(replaced ?? path).catch((error: unknown) => {
    if (error instanceof StartFailure)
      throw new StartFailure(error.reason, `${name}: ${error.message}`)
    throw explainLoadError(name, error)
  })
  const zipMapLabels = new Map(outline.zipMaps.map((zipMap) => [zipMap.outputName, zipMap.labels]))
  const presentation = decidePresentation(session.signature, { zipMapLabels, fileLabels: labels })
  return { session, presentation }
}

function openModel(path: string, name: string): FileSource {
  try {
    return new FileSource(path)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new StartFailure('modelMissing', `${name} cannot be read: ${reason.split(',')[0]}`)
  }
}

// Enough to know any look-alike by its first bytes.
const HEAD_BYTES = 64

function outlineOf(source: ByteSource, name: string): Outline {
  const head = source.read(0, HEAD_BYTES)
  try {
    const outline = readOutline(source)
    if (outline !== undefined) return outline
    throw invalidFile(name, head, 'it has no graph')
  } catch (error) {
    if (error instanceof ProtobufError) throw invalidFile(name, head, error.message)
    throw error
  }
}

/** One invocation as it reaches a worker. */
export interface ModelRequest {
  readonly contentType: string | undefined
  readonly accept: string | undefined
  readonly body: Uint8Array<ArrayBuffer>
}

/** What a worker answers. */
export interface ModelReply {
  readonly status: number
  readonly contentType: string
  readonly body: Uint8Array<ArrayBuffer>
}

/**
 * Serves one invocation: decode, match with the inputs, run, encode. Never throws for what a request or the
 * model can cause: that becomes a reply of its status.
 */
export async function answer(model: Model, request: ModelRequest): Promise<ModelReply> {
  try {
    const format = parseContentType(request.contentType)
    const replyType = chooseReplyType(request.accept)
    const given = parseRequest(format, Buffer.from(request.body.buffer))
    const inputs = bindRequest(given, model.session.signature)
    const outputs = await run(model.session, inputs)
    const isColumnar = given.kind === 'columns'
    const outcome = { outputs, presentation: model.presentation, isColumnar }
    const body = new Uint8Array(encodeReply(outcome, replyType))
    return { status: 200, contentType: replyType.mediaType, body }
  } catch (error) {
    if (!(error instanceof Rejection)) throw error
    const body = new Uint8Array(Buffer.from(JSON.stringify({ error: error.message })))
    return { status: error.status, contentType: 'application/json', body }
  }
}

// Source: messages of ONNX Runtime 1.30 for inputs that do not have the declared shape or type.
const INPUT_FAULT =
  /Got invalid dimensions for input|Invalid rank for input|Unexpected input data type/

async function run(
  session: Session,
  inputs: readonly NamedTensor[],
): Promise<readonly NamedTensor[]> {
  try {
    return await session.run(inputs)
  } catch (error) {
    const message = withoutSourcePath(error instanceof Error ? error.message : String(error))
    const sentence = message.replaceAll(/\s+/g, ' ')
    if (INPUT_FAULT.test(message))
      throw mismatch(`The request does not fit: ${sentence}`, session.signature)
    throw new Rejection(500, `The model failed: ${sentence}`)
  }
}
