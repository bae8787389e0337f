import { createHash } from 'node:crypto'
import { ByteLru } from '../../domain/byte-lru.ts'
import type { InferenceResponse } from './backend.ts'
import type { Enqueued } from './enqueued.ts'

// What an entry costs beside its tensors: key, names, shapes, objects.
const ENTRY_BYTES = 512

/** Answers of all models to requests that may come again. */
export class ResponseCache {
  readonly #answers: ByteLru<InferenceResponse>
  #scopeCount = 0

  constructor(bytesMax: number) {
    this.#answers = new ByteLru(bytesMax)
  }

  /** A number for one loading of a model, whose answers are not those of the one before it. */
  createScope(): number {
    this.#scopeCount += 1
    return this.#scopeCount
  }

  find(key: string): InferenceResponse | undefined {
    return this.#answers.use(key)
  }

  /** Keeps an answer, unless it is larger than the whole cache. */
  insert(key: string, response: InferenceResponse): void {
    // A view would keep the memory of its whole batch.
    const outputs = response.outputs.map((output) => ({ ...output, data: output.data.slice() }))
    const byteCount = outputs.reduce((sum, { data }) => sum + data.byteLength, ENTRY_BYTES)
    this.#answers.insert(key, { ...response, outputs }, byteCount)
  }
}

/**
 * Equal for requests that a model answers alike, and for no others: unlike Triton's, it is of shapes, types, parameters and
 * wanted outputs too.
 */
export function cacheKeyOf(
  scope: number,
  { inputs, parameters, requestedOutputs }: Enqueued,
): string {
  const sorted = inputs.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const head = {
    scope,
    inputs: sorted.map(({ name, datatype, shape, data }) => [
      name,
      datatype,
      shape,
      data.byteLength,
    ]),
    outputs: requestedOutputs.toSorted(),
    parameters: [...parameters]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => [name, typeof value, String(value)]),
  }
  const hash = createHash('sha256').update(JSON.stringify(head))
  for (const { data } of sorted) hash.update(data)
  return hash.digest('base64')
}
