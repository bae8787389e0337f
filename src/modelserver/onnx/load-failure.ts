import type { Buffer } from 'node:buffer'
import { StartFailure } from '../start-failure.ts'

// What people upload by mistake, by how it begins (bytes as Latin-1).
const PICKLE = 'it is a Python pickle; convert the model with skl2onnx'
const PAGE = 'it is an HTML or XML page, perhaps an error of the server it came from'
const LOOKALIKES: readonly (readonly [string, string])[] = [
  ['\x1f\x8b', 'it is a gzip archive; unpack it'],
  ['PK\x03\x04', 'it is a zip archive (a PyTorch or Keras file?); export the model to ONNX'],
  ['\x80\x02', PICKLE],
  ['\x80\x03', PICKLE],
  ['\x80\x04', PICKLE],
  ['\x80\x05', PICKLE],
  ['\x89HDF', 'it is an HDF5 (Keras) file; convert the model with tf2onnx'],
  ['version https://git-lfs', 'it is a Git LFS pointer; run git lfs pull'],
  ['<', PAGE],
]

/** Why bytes that are not protobuf, or have no graph, are not a model. */
export function invalidFile(name: string, head: Buffer, reason: string): StartFailure {
  const text = head.toString('latin1').trimStart()
  const lookalike = LOOKALIKES.find(([prefix]) => text.startsWith(prefix))
  const why = head.length === 0 ? 'it is empty' : (lookalike?.[1] ?? reason)
  return new StartFailure('modelInvalid', `${name} is not a valid ONNX file: ${why}`)
}

/** Turns what ONNX Runtime says when it cannot create a session into a sentence for people. */
export function explainLoadError(name: string, error: unknown): StartFailure {
  const message = withoutSourcePath(error instanceof Error ? error.message : String(error))
  const opset = /Opset (\d+) is under development.* for domain (\S+) is till opset (\d+)/s.exec(
    message,
  )
  if (opset !== null) {
    const domain = opset[2] === 'ai.onnx' ? '' : ` of ${opset[2]}`
    return unsupported(
      `${name} uses opset ${opset[1]}${domain}, this runtime supports up to ${opset[3]}`,
    )
  }
  const version = /Unsupported model IR version: (\d+), max supported IR version: (\d+)/.exec(
    message,
  )
  if (version !== null) {
    return unsupported(
      `${name} uses IR version ${version[1]}, this runtime supports up to ${version[2]}`,
    )
  }
  const operator = /No Op registered for (\S+)(?: with domain_version of (\d+))?/.exec(message)
  if (operator !== null) {
    const at = operator[2] === undefined ? '' : ` (opset ${operator[2]})`
    return unsupported(
      `${name} uses the operator ${operator[1]}${at}, which this runtime does not have`,
    )
  }
  const external = /External data path does not exist: "?([^"]+)"?/.exec(message)
  if (external !== null) {
    const file = external[1]?.split('/').at(-1) ?? ''
    return new StartFailure(
      'modelMissing',
      `${name} keeps its weights in ${file}, which is not beside it`,
    )
  }
  if (/Protobuf parsing failed|does not have a graph/.test(message)) {
    return new StartFailure(
      'modelInvalid',
      `${name} is not a valid ONNX file: its contents cannot be parsed`,
    )
  }
  return new StartFailure('modelInvalid', `${name} cannot be loaded: ${message}`)
}

/** Cuts the runtime's own file, line and function off the front of its message. */
export function withoutSourcePath(message: string): string {
  return message
    .replace(/^Load model from \S+ failed:/, '')
    .replace(/\/onnxruntime_src\/\S+:\d+ .*?\)(?: const)? (?=[A-Z])/s, '')
    .trim()
}

function unsupported(message: string): StartFailure {
  return new StartFailure('modelUnsupported', message)
}
