import type { Ask } from './exchange.ts'

type Json = Readonly<Record<string, unknown>>

/** An inference request in JSON, to a model's latest version. */
export function infer(name: string, model: string, body: Json | string): Ask {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return { name, path: `/v2/models/${model}/infer`, body: text }
}

/** An inference request with the binary tensor extension. */
export function inferBinary(
  name: string,
  model: string,
  [json, ...blobs]: readonly [Json | string, ...Uint8Array[]],
  headerLength?: string,
): Ask {
  const head = Buffer.from(typeof json === 'string' ? json : JSON.stringify(json))
  return {
    name,
    path: `/v2/models/${model}/infer`,
    headers: {
      'Inference-Header-Content-Length': headerLength ?? String(head.length),
      'Content-Type': 'application/octet-stream',
    },
    body: Buffer.concat([head, ...blobs]),
  }
}

export function post(name: string, path: string, body: Json | string = ''): Ask {
  return { name, path, body: typeof body === 'string' ? body : JSON.stringify(body) }
}

export function int32(...values: readonly number[]): Uint8Array {
  return new Uint8Array(Int32Array.from(values).buffer)
}

export function fp32(...values: readonly number[]): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer)
}

/** The raw form of a BYTES tensor. */
export function bytes(...texts: readonly string[]): Uint8Array {
  return Buffer.concat(
    texts.map((text) => {
      const part = Buffer.alloc(4 + Buffer.byteLength(text))
      part.writeUInt32LE(part.length - 4)
      part.write(text, 4)
      return part
    }),
  )
}

export const ONES = Array.from({ length: 16 }, () => 1)
export const RAMP = Array.from({ length: 16 }, (_, index) => index)

/** An input in JSON. */
export function input(
  name: string,
  datatype: string,
  shape: readonly number[],
  data: unknown,
): Json {
  return { name, shape, datatype, data }
}

/** An input whose bytes follow the JSON. */
export function binaryInput(
  name: string,
  datatype: string,
  shape: readonly number[],
  size: number,
) {
  return { name, shape, datatype, parameters: { binary_data_size: size } }
}

/** Both inputs of `simple`. */
export const SIMPLE_INPUTS = [
  input('INPUT0', 'INT32', [1, 16], RAMP),
  input('INPUT1', 'INT32', [1, 16], ONES),
] as const
