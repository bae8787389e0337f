import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { byteSizeOf, elementCount } from '../../wire/oip/tensor.ts'
import type { Tensor } from '../../wire/oip/tensor.ts'
import type { ModelConfig } from './model-config.ts'
import type { SequenceState } from './sequence-batching.ts'
import { ServingError } from './serving-error.ts'

const FOLDER = 'initial_state'

/**
 * The state inputs of the first request of every sequence.
 *
 * @throws ServingError INVALID_ARG: a file has too few bytes, or there is none.
 */
export async function readInitialStates(
  { scheduling, maxBatchSize }: ModelConfig,
  modelDirectory: string,
): Promise<readonly Tensor[]> {
  if (scheduling.kind !== 'sequence') return []
  return Promise.all(
    scheduling.batching.states.map(async (state): Promise<Tensor> => {
      const { inputName: name, datatype } = state
      const dims = state.initial?.dims ?? state.dims.map((dim) => (dim === -1 ? 1 : dim))
      const shape = maxBatchSize > 0 ? [1, ...dims] : dims
      const byteCount = elementCount(dims) * (byteSizeOf(datatype) ?? 4)
      const data = await readContent(state, byteCount, modelDirectory)
      return { name, datatype, shape, data }
    }),
  )
}

async function readContent(
  { datatype, initial }: SequenceState,
  byteCount: number,
  modelDirectory: string,
): Promise<Uint8Array> {
  const content = initial?.content ?? 'zeros'
  if (content === 'zeros') return new Uint8Array(byteCount)
  const path = join(modelDirectory, FOLDER, content.file)
  const bytes = await readFile(path).catch(() => {
    throw new ServingError('INVALID_ARG', `failed to open text file for read ${path}`)
  })
  if (datatype === 'BYTES') return new Uint8Array(bytes)
  if (bytes.byteLength < byteCount) {
    throw new ServingError(
      'INVALID_ARG',
      `initial_state setting expects ${byteCount} bytes, but the data provided from ${content.file} only has ` +
        `${bytes.byteLength} bytes.`,
    )
  }
  return new Uint8Array(bytes.subarray(0, byteCount))
}
