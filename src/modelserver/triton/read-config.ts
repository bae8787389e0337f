import type { ConfigSource, GraphPort, GraphPorts } from './config-source.ts'
import { parseJsonBody } from './http/json-body.ts'
import { read } from './json-reader.ts'
import type { ReadConfig } from './model-repository.ts'
import type { TritonOptions } from './options.ts'
import { toModelConfig, toVersionPolicy } from './to-model-config.ts'

/** Creates what reads the configuration of a model. */
export function createConfigReader(options: TritonOptions): ReadConfig {
  return async ({ name, override }): Promise<ConfigSource> => {
    const json = override === undefined ? {} : parseJsonBody(Buffer.from(override, 'utf8'))
    const backend = read.text(json['backend']) || read.text(json['platform']) || 'onnxruntime'
    return {
      name,
      backend,
      modelFilename: 'model.onnx',
      versionPolicy: toVersionPolicy(read.object(json['version_policy'])),
      dependencies: read
        .objects(read.object(json['ensemble_scheduling'])['step'])
        .map((step) => read.text(step['model_name'])),
      complete: (graph) =>
        toModelConfig({ ...json, name, backend, ...completeBy(graph, json, options) }),
    }
  }
}

function completeBy(
  graph: GraphPorts | undefined,
  json: Readonly<Record<string, unknown>>,
  { defaultMaxBatchSize }: TritonOptions,
): Readonly<Record<string, unknown>> {
  if (graph === undefined) return { platform: 'ensemble' }
  const ports = [...graph.inputs, ...graph.outputs]
  const canBatch = ports.every(({ dims }) => dims[0] === -1)
  const given = read.number(json['max_batch_size'])
  const size = given > 0 ? given : canBatch ? defaultMaxBatchSize : 0
  const port = ({ name, datatype, dims }: GraphPort) => ({
    name,
    data_type: `TYPE_${datatype}`.replace('BYTES', 'STRING'),
    dims: canBatch ? dims.slice(1) : dims,
  })
  const batching = read.object(json['dynamic_batching'])
  const preferred = read.numbers(batching['preferred_batch_size'])
  return {
    platform: 'onnxruntime_onnx',
    max_batch_size: size,
    input: json['input'] ?? graph.inputs.map(port),
    output: json['output'] ?? graph.outputs.map(port),
    ...(size > 1 && {
      dynamic_batching: {
        ...batching,
        preferred_batch_size: preferred.length > 0 ? preferred : [size],
      },
    }),
    instance_group: json['instance_group'] ?? [{ count: 2 }],
  }
}
