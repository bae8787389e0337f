import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { byteSizeOf, elementCount } from '../../wire/oip/tensor.ts'
import type { Tensor } from '../../wire/oip/tensor.ts'
import type { InferenceRequest, ModelInstance } from './backend.ts'
import { readInitialStates } from './initial-states.ts'
import type { ModelConfig, Warmup } from './model-config.ts'
import { controlInputs } from './sequence-tensors.ts'
import { ServingError, toServingError } from './serving-error.ts'

/**
 * Runs every warm-up of a config on every instance, so that the first request is not the first run.
 *
 * @throws ServingError one of them failed, which fails the load.
 */
export async function warmUp(
  config: ModelConfig,
  instances: readonly ModelInstance[],
  modelDirectory: string,
): Promise<void> {
  for (const warmup of config.warmups) {
    // Source: reference §4.6; 0, the default of the protocol, means none.
    if (warmup.batchSize === 0) continue
    const given = await readInputs(config, warmup, modelDirectory)
    const inputs = [...given, ...(await sequenceInputs(config, modelDirectory))]
    const outputNames = config.outputs.map(({ name }) => name)
    for (let turn = 0; turn < Math.max(1, warmup.count); turn += 1) {
      await Promise.all(instances.map((instance) => runOnce(instance, warmup, inputs, outputNames)))
    }
  }
}

async function readInputs(
  { maxBatchSize }: ModelConfig,
  { name, inputs }: Warmup,
  modelDirectory: string,
): Promise<readonly Tensor[]> {
  return Promise.all(
    inputs.map(async ({ name: inputName, datatype, dims, content }): Promise<Tensor> => {
      const count = elementCount(dims)
      // An empty text is its length alone.
      const byteLength = count * (byteSizeOf(datatype) ?? 4)
      const shape = maxBatchSize > 0 ? [1, ...dims] : dims
      let data = new Uint8Array(byteLength)
      if (content === 'random' && datatype !== 'BYTES') fillRandom(data, datatype === 'BOOL')
      if (typeof content === 'object') {
        const path = join(modelDirectory, 'warmup', content.file)
        const file = await readFile(path).catch(() => undefined)
        if (file === undefined || (datatype !== 'BYTES' && file.byteLength < byteLength)) {
          throw new ServingError(
            'INVALID_ARG',
            `unable to provide sufficient data for warmup input '${inputName}' of sample '${name}' from ${path}`,
          )
        }
        data = new Uint8Array(datatype === 'BYTES' ? file : file.subarray(0, byteLength))
      }
      return { name: inputName, datatype, shape, data }
    }),
  )
}

// What the server adds to the first request of a sequence.
async function sequenceInputs(
  config: ModelConfig,
  modelDirectory: string,
): Promise<readonly Tensor[]> {
  const { scheduling, maxBatchSize } = config
  if (scheduling.kind !== 'sequence') return []
  const { correlation } = scheduling.batching
  const correlationId = correlation?.datatype === 'BYTES' ? 'warmup' : 1n
  const controls = { isReady: true, isStart: true, isEnd: true, correlationId }
  return [
    ...controlInputs(scheduling.batching, controls, maxBatchSize > 0),
    ...(await readInitialStates(config, modelDirectory)),
  ]
}

// Small numbers of any type: whatever a model does with them, it is to be quick and finite.
function fillRandom(data: Uint8Array, isBool: boolean): void {
  for (let at = 0; at < data.length; at += 1) data[at] = Math.random() * (isBool ? 2 : 64)
}

async function runOnce(
  instance: ModelInstance,
  { name, batchSize }: Warmup,
  inputs: readonly Tensor[],
  requestedOutputs: readonly string[],
): Promise<void> {
  const failures: unknown[] = []
  const requests = Array.from({ length: batchSize }, (): InferenceRequest => {
    return {
      id: `warmup ${name}`,
      inputs,
      requestedOutputs,
      parameters: new Map(),
      batchSize: 1,
      correlationId: 1n,
      isSequenceStart: true,
      isSequenceEnd: true,
      priority: 0,
      timeoutMs: 0,
      signal: new AbortController().signal,
      respond: () => undefined,
      fail: (error) => failures.push(error),
    }
  })
  await instance.execute(requests)
  const [failure] = failures
  if (failure !== undefined) {
    const reason = toServingError(failure).message
    throw new ServingError('INTERNAL', `failed to run warmup sample '${name}': ${reason}`)
  }
}
