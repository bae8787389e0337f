import type { ConfigSource, GraphPort } from './config-source.ts'
import type { ReadConfig } from './model-repository.ts'
import type { TritonOptions } from './options.ts'
import { toModelConfig, toVersionPolicy } from './to-model-config.ts'

/** Creates what reads the configuration of a model. */
export function createConfigReader(options: TritonOptions): ReadConfig {
  return async ({ name }): Promise<ConfigSource> => {
    return {
      name,
      backend: 'onnxruntime',
      modelFilename: 'model.onnx',
      dependencies: [],
      versionPolicy: toVersionPolicy({}),
      complete: (graph) => {
        const ports = [...(graph?.inputs ?? []), ...(graph?.outputs ?? [])]
        const canBatch = ports.every(({ dims }) => dims[0] === -1)
        const size = canBatch ? options.defaultMaxBatchSize : 0
        const port = ({ name: portName, datatype, dims }: GraphPort) => ({
          name: portName,
          data_type: `TYPE_${datatype}`.replace('BYTES', 'STRING'),
          dims: canBatch ? dims.slice(1) : dims,
        })
        return toModelConfig({
          name,
          platform: 'onnxruntime_onnx',
          backend: 'onnxruntime',
          max_batch_size: size,
          input: graph?.inputs.map(port),
          output: graph?.outputs.map(port),
          ...(size > 1 && { dynamic_batching: { preferred_batch_size: [size] } }),
          instance_group: [{ count: 2 }],
        })
      },
    }
  }
}
