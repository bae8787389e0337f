import type { SharedPart } from '../../../wire/oip/shared-part.ts'
import type { Tensor } from '../../../wire/oip/tensor.ts'
import { ServingError } from '../serving-error.ts'
import type { OpenPart, SharedRegions } from './shared-regions.ts'

/** Outputs of one request that go to shared memory; their regions stay open until it is disposed of. */
export class SharedOutputs implements Disposable {
  readonly #parts = new Map<string, OpenPart>()

  /** @throws ServingError a part that is not there, before anything is run. */
  constructor(regions: SharedRegions, wanted: ReadonlyMap<string, SharedPart>) {
    try {
      for (const [output, part] of wanted) this.#parts.set(output, regions.open(part))
    } catch (error) {
      this[Symbol.dispose]()
      throw error
    }
  }

  has(output: string): boolean {
    return this.#parts.has(output)
  }

  /** Writes those outputs whose place is known. @throws ServingError INTERNAL: one is larger than its place. */
  write(outputs: readonly Tensor[]): void {
    for (const { name, data } of outputs) {
      const part = this.#parts.get(name)
      if (part === undefined) continue
      if (data.byteLength > part.byteSize) {
        throw new ServingError(
          'INTERNAL',
          `shared memory size specified with the request for output '${name}' (${part.byteSize} bytes) should be at ` +
            `least ${data.byteLength} bytes to hold the results`,
        )
      }
      part.write(data)
    }
  }

  [Symbol.dispose](): void {
    for (const part of this.#parts.values()) part.release()
    this.#parts.clear()
  }
}
