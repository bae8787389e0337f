import { encodeOnnx } from './onnx.ts'

const INT = { data_type: 'TYPE_INT32', dims: [1] }

/** Ports of the model `accumulate` that tritonserver was recorded with; the sum goes through the server as a state. */
export const ACCUMULATE = {
  backend: 'onnxruntime',
  max_batch_size: 2,
  input: [{ ...INT, name: 'INPUT0' }],
  output: [{ ...INT, name: 'OUTPUT0' }],
  instance_group: [{ kind: 'KIND_CPU', count: 1 }],
}

const flag = (name: string, kind: string, list: object) => {
  const control: readonly object[] = [{ kind: `CONTROL_SEQUENCE_${kind}`, ...list }]
  return { name, control }
}

/** What of it is about sequences, beside the strategy. */
export const SEQUENCE_BATCHING = {
  max_sequence_idle_microseconds: 60_000_000,
  control_input: [
    flag('START', 'START', { int32_false_true: [0, 1] }),
    flag('READY', 'READY', { int32_false_true: [0, 4] }),
    flag('END', 'END', { fp32_false_true: [0, 2] }),
    flag('CORRID', 'CORRID', { data_type: 'TYPE_UINT64' }),
  ],
  state: [{ ...INT, input_name: 'SUM_IN', output_name: 'SUM_OUT' }],
}

/** `OUTPUT0` is the sum so far, `FLAGS` 1 for start, 2 for end and 4 for ready together, `ID` the correlation id. */
export function encodeAccumulate(correlationType: 'uint64' | 'string' = 'uint64'): Buffer {
  const row = ['N', 1]
  return encodeOnnx({
    nodes: [
      { operator: 'Add', inputs: ['INPUT0', 'SUM_IN'], outputs: ['OUTPUT0'] },
      { operator: 'Identity', inputs: ['OUTPUT0'], outputs: ['SUM_OUT'] },
      { operator: 'Cast', inputs: ['END'], outputs: ['end'], attributes: { to: 6 } },
      { operator: 'Add', inputs: ['START', 'READY'], outputs: ['both'] },
      { operator: 'Add', inputs: ['both', 'end'], outputs: ['FLAGS'] },
      { operator: 'Identity', inputs: ['CORRID'], outputs: ['ID'] },
    ],
    weights: {},
    types: {
      ...Object.fromEntries(
        ['INPUT0', 'SUM_IN', 'START', 'READY', 'OUTPUT0', 'SUM_OUT', 'FLAGS'].map((name) => [
          name,
          'int32',
        ]),
      ),
      CORRID: correlationType,
      ID: correlationType,
    },
    inputs: { INPUT0: row, START: row, READY: row, END: row, CORRID: row, SUM_IN: row },
    outputs: { OUTPUT0: row, SUM_OUT: row, FLAGS: row, ID: row },
  })
}
