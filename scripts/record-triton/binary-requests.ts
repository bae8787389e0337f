import { deflateSync, gzipSync } from 'node:zlib'
import {
  ONES,
  RAMP,
  SIMPLE_INPUTS,
  binaryInput,
  bytes,
  fp32,
  infer,
  inferBinary,
  input,
  int32,
} from './ask.ts'
import type { Ask } from './exchange.ts'

const BOTH = [
  binaryInput('INPUT0', 'INT32', [1, 16], 64),
  binaryInput('INPUT1', 'INT32', [1, 16], 64),
]
const RAMP_BYTES = int32(...RAMP)
const ONES_BYTES = int32(...ONES)
const STRINGS = (shape: readonly number[], size: number) => ({
  inputs: [binaryInput('INPUT0', 'BYTES', shape, size)],
})
const FLOATS = (size: number) => ({ inputs: [binaryInput('INPUT0', 'FP32', [1, 2], size)] })

function outputs(name: string, asked: readonly unknown[], parameters?: unknown): Ask {
  return infer(`outputs: ${name}`, 'simple', {
    ...(parameters === undefined ? {} : { parameters }),
    inputs: SIMPLE_INPUTS,
    ...(asked.length === 0 ? {} : { outputs: asked }),
  })
}

const HEADER: readonly Ask[] = ['-1', '9999', 'abc', '12abc', ' 2', '', '1.5', '99999999999'].map(
  (length) =>
    inferBinary(
      `header length ${JSON.stringify(length)}`,
      'simple',
      [{ inputs: BOTH }, RAMP_BYTES, ONES_BYTES],
      length,
    ),
)

const BINARY: readonly Ask[] = [
  inferBinary('binary', 'simple', [{ inputs: BOTH }, RAMP_BYTES, ONES_BYTES]),
  inferBinary('binary first, JSON second', 'simple', [
    { inputs: [BOTH[0], SIMPLE_INPUTS[1]] },
    RAMP_BYTES,
  ]),
  inferBinary('header, no binary', 'simple', [{ inputs: SIMPLE_INPUTS }]),
  inferBinary('binary short', 'simple', [{ inputs: BOTH }, RAMP_BYTES]),
  inferBinary('binary cut', 'simple', [{ inputs: BOTH }, RAMP_BYTES, ONES_BYTES.subarray(5)]),
  inferBinary('binary left over', 'simple', [{ inputs: BOTH }, RAMP_BYTES, ONES_BYTES, int32(1)]),
  inferBinary('binary left over, none announced', 'simple', [{ inputs: SIMPLE_INPUTS }, int32(1)]),
  inferBinary('binary size over the shape', 'identity_fp32', [FLOATS(12), fp32(1, 2, 3)]),
  inferBinary('binary size under the shape', 'identity_fp32', [FLOATS(4), fp32(1)]),
  inferBinary('binary size zero', 'identity_fp32', [FLOATS(0)]),
  inferBinary('binary size enormous', 'identity_fp32', [FLOATS(9007199254740991), fp32(1)]),
  inferBinary('binary size null', 'identity_fp32', [
    '{"inputs":[{"name":"INPUT0","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":null}}]}',
    fp32(1, 2),
  ]),
  inferBinary('binary and data', 'identity_fp32', [
    {
      inputs: [{ ...binaryInput('INPUT0', 'FP32', [1, 2], 8), data: [1, 2] }],
    },
    fp32(1, 2),
  ]),
  inferBinary('binary of an unknown datatype', 'identity_fp32', [
    { inputs: [binaryInput('INPUT0', 'FLOAT', [1, 2], 8)] },
    fp32(1, 2),
  ]),
  inferBinary('binary shape negative', 'identity_fp32', [
    { inputs: [binaryInput('INPUT0', 'FP32', [1, -2], 8)] },
    fp32(1, 2),
  ]),
  inferBinary('binary FP16', 'identity', [
    {
      inputs: [binaryInput('IN_FP16', 'FP16', [2], 4)],
      outputs: [{ name: 'OUT_FP16', parameters: { binary_data: true } }],
    },
    Buffer.from('003c00c0', 'hex'),
  ]),
  inferBinary('binary FP16, JSON asked for', 'identity', [
    { inputs: [binaryInput('IN_FP16', 'FP16', [2], 4)] },
    Buffer.from('003c00c0', 'hex'),
  ]),
  inferBinary('binary BF16 to a model of FP32', 'identity', [
    { inputs: [binaryInput('IN_FP32', 'BF16', [1], 2)] },
    Buffer.from('803f', 'hex'),
  ]),
  inferBinary('binary BYTES', 'identity_bytes', [STRINGS([1, 2], 9), bytes('a', '')]),
  inferBinary('binary BYTES, binary output', 'identity_bytes', [
    {
      ...STRINGS([1, 2], 9),
      parameters: { binary_data_output: true },
    },
    bytes('a', ''),
  ]),
  inferBinary('binary BYTES, too few', 'identity_bytes', [STRINGS([1, 3], 9), bytes('a', '')]),
  inferBinary('binary BYTES, too many', 'identity_bytes', [STRINGS([1, 1], 9), bytes('a', '')]),
  inferBinary('binary BYTES, length cut', 'identity_bytes', [
    STRINGS([1, 2], 7),
    bytes('a', '').subarray(0, 7),
  ]),
  inferBinary('binary BYTES, string cut', 'identity_bytes', [
    STRINGS([1, 1], 6),
    bytes('abc').subarray(0, 6),
  ]),
  inferBinary('binary BYTES, none', 'identity_bytes', [STRINGS([1, 0], 0)]),
  inferBinary('binary BYTES with a NUL and no UTF-8', 'identity_bytes', [
    { ...STRINGS([1, 1], 8), parameters: { binary_data_output: true } },
    Buffer.from('0400000000ff80fe', 'hex'),
  ]),
  inferBinary('empty output, binary asked for', 'matrix', [
    {
      inputs: [input('INPUT0', 'FP32', [2, 0], [])],
      parameters: { binary_data_output: true },
    },
  ]),
]

const RAW: readonly Ask[] = [
  inferBinary('raw: one variable dimension', 'identity_fp32', ['', fp32(1, 2, 3)], '0'),
  inferBinary('raw: size no multiple', 'identity_fp32', ['', fp32(1, 2).subarray(0, 7)], '0'),
  inferBinary('raw: empty', 'identity_fp32', [''], '0'),
  inferBinary('raw: BYTES', 'raw_bytes', ['hello'], '0'),
  inferBinary('raw: BYTES of another shape', 'identity_bytes', ['hello'], '0'),
  inferBinary('raw: fixed and variable', 'matrix', ['', fp32(1, 2, 3, 4)], '0'),
  inferBinary('raw: two variable dimensions', 'grid', ['', fp32(1, 2, 3, 4)], '0'),
  inferBinary('raw: two inputs', 'simple', ['', RAMP_BYTES], '0'),
  inferBinary('raw: fixed shape, wrong size', 'batcher', ['', fp32(1, 2, 3)], '0'),
]

const OUTPUTS: readonly Ask[] = [
  outputs('all binary', [], { binary_data_output: true }),
  outputs('one binary', [{ name: 'OUTPUT0', parameters: { binary_data: true } }]),
  outputs('binary and JSON', [
    { name: 'OUTPUT0', parameters: { binary_data: true } },
    { name: 'OUTPUT1', parameters: { binary_data: false } },
  ]),
  outputs('JSON and binary', [
    { name: 'OUTPUT0' },
    { name: 'OUTPUT1', parameters: { binary_data: true } },
  ]),
  outputs('listed, with all binary', [{ name: 'OUTPUT0' }], { binary_data_output: true }),
  outputs('binary no boolean', [{ name: 'OUTPUT0', parameters: { binary_data: 1 } }]),
  outputs('all binary no boolean', [], { binary_data_output: 'true' }),
  outputs('classification', [{ name: 'OUTPUT0', parameters: { classification: 3 } }]),
  outputs('classification without labels', [
    { name: 'OUTPUT1', parameters: { classification: 2 } },
  ]),
  outputs('classification of more than there is', [
    { name: 'OUTPUT0', parameters: { classification: 99 } },
  ]),
  outputs('classification zero', [{ name: 'OUTPUT0', parameters: { classification: 0 } }]),
  outputs('classification negative', [{ name: 'OUTPUT0', parameters: { classification: -1 } }]),
  outputs('classification a string', [{ name: 'OUTPUT0', parameters: { classification: '3' } }]),
  outputs('classification binary', [
    { name: 'OUTPUT0', parameters: { classification: 2, binary_data: true } },
  ]),
  outputs('classification and shared memory', [
    { name: 'OUTPUT0', parameters: { classification: 2, shared_memory_region: 'r' } },
  ]),
  outputs('binary and shared memory', [
    { name: 'OUTPUT0', parameters: { binary_data: true, shared_memory_region: 'r' } },
  ]),
  outputs('parameter unknown', [{ name: 'OUTPUT0', parameters: { x: 1 } }]),
  outputs('parameters no object', [{ name: 'OUTPUT0', parameters: [] }]),
  infer('outputs: classification of floats', 'identity_fp32', {
    inputs: [input('INPUT0', 'FP32', [2, 3], [0.1, 3.3, -2, 1e10, 1 / 3, 5])],
    outputs: [{ name: 'OUTPUT0', parameters: { classification: 2 } }],
  }),
  infer('outputs: classification, not batching', 'matrix', {
    inputs: [input('INPUT0', 'FP32', [2, 2], [1, 2, 3, 4])],
    outputs: [{ name: 'OUTPUT0', parameters: { classification: 3 } }],
  }),
  infer('outputs: classification of BYTES', 'classes_bytes', {
    inputs: [input('INPUT0', 'BYTES', [2], ['a', 'b'])],
    outputs: [{ name: 'OUTPUT0', parameters: { classification: 1 } }],
  }),
]

const JSON_SIMPLE = JSON.stringify({ inputs: SIMPLE_INPUTS })

function coded(name: string, encoding: string, body: string | Uint8Array): Ask {
  return {
    name: `coding: ${name}`,
    path: '/v2/models/simple/infer',
    headers: { 'Content-Encoding': encoding },
    body,
  }
}

const CODINGS: readonly Ask[] = [
  // The window's header byte that says which system compressed differs from library to library.
  coded('gzip', 'gzip', gzipSync(JSON_SIMPLE)),
  coded('deflate', 'deflate', deflateSync(JSON_SIMPLE)),
  coded('identity', 'identity', JSON_SIMPLE),
  coded('unknown', 'br', JSON_SIMPLE),
  coded('gzip that is none', 'gzip', 'hello'),
]

export const BINARY_REQUESTS: readonly Ask[] = [
  ...HEADER,
  ...BINARY,
  ...RAW,
  ...OUTPUTS,
  ...CODINGS,
]
