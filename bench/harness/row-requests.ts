import { loadProtocol } from '../../src/modelserver/triton/grpc/load-protocol.ts'
import type { Address } from './address.ts'
import type { ChainStep } from './load.ts'
import { encodeRequests } from './requests.ts'

export const INFER_METHOD = '/inference.GRPCInferenceService/ModelInfer'

/** Rows that differ, the same ones on every run. */
export function makeTensors(count: number, width: number): Float32Array[] {
  return Array.from({ length: count }, (_none, row) => {
    const value = (at: number): number => Number(Math.sin(row * width + at).toFixed(6))
    return Float32Array.from({ length: width }, (_value, at) => value(at))
  })
}

/** A row for a model whose input is `input`, as JSON. */
export function encodeJsonRow(address: Address, model: string, row: Float32Array): Buffer {
  // Six digits, as whoever wrote the numbers would have them, and not the seventeen of a float as a double.
  const data = Array.from(row, (value) => Number(value.toFixed(6)))
  const inputs = [{ name: 'input', datatype: 'FP32', shape: [1, row.length], data }]
  return encodePost(address, model, {}, Buffer.from(JSON.stringify({ inputs })))
}

/** The same as a binary tensor, asking for one. */
export function encodeBinaryRow(address: Address, model: string, row: Float32Array): Buffer {
  const head = binaryHead(row.byteLength)
  const headers = { 'inference-header-content-length': String(head.length) }
  return encodePost(address, model, headers, Buffer.concat([head, bytesOf(row)]))
}

/** What is sent of {@link encodeBinaryRow} in front of the tensor. */
export function binaryStep(address: Address, model: string, width: number): ChainStep {
  const row = new Float32Array(width)
  const request = encodeBinaryRow(address, model, row)
  const head = request.subarray(0, request.length - row.byteLength).toString('latin1')
  return { head, tensorBytes: row.byteLength }
}

/** The same as a message in a gRPC stream. */
export function encodeGrpcRow(model: string, row: Float32Array): Buffer {
  const { service } = loadProtocol('inference.proto', 'inference.GRPCInferenceService')
  const message = service['ModelInfer']?.requestSerialize({
    model_name: model,
    inputs: [{ name: 'input', datatype: 'FP32', shape: [1, row.length] }],
    raw_input_contents: [bytesOf(row)],
  })
  if (message === undefined) throw new Error('inference.proto has no ModelInfer.')
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}

/** The bytes of a row's elements. */
export function bytesOf(row: Float32Array): Buffer {
  return Buffer.from(row.buffer, row.byteOffset, row.byteLength)
}

function encodePost(
  address: Address,
  model: string,
  headers: Readonly<Record<string, string>>,
  body: Buffer,
): Buffer {
  const path = `/v2/models/${model}/infer`
  const [request] = encodeRequests(address, [{ method: 'POST', path, headers, body }])
  if (request === undefined) throw new Error('A request was lost.')
  return request
}

function binaryHead(tensorBytes: number): Buffer {
  const parameters = { binary_data_size: tensorBytes }
  const shape = [1, tensorBytes / Float32Array.BYTES_PER_ELEMENT]
  const inputs = [{ name: 'input', datatype: 'FP32', shape, parameters }]
  return Buffer.from(JSON.stringify({ inputs, parameters: { binary_data_output: true } }))
}
