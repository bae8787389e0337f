import { read } from '../json-reader.ts'
import { findCudaRegions, refuseCudaRegion } from '../shared-memory/cuda-regions.ts'
import type { SharedRegions } from '../shared-memory/shared-regions.ts'
import type { Message, UnaryMethod } from './call-forms.ts'

/** The methods of the shared memory extensions. */
export function sharedMemoryMethods(regions: SharedRegions): Readonly<Record<string, UnaryMethod>> {
  const guarded = (method: (request: Message) => Message): UnaryMethod => {
    return (request) => {
      regions.refuseIfDisabled()
      return method(request)
    }
  }
  return {
    SystemSharedMemoryStatus: guarded((request) => ({
      regions: Object.fromEntries(
        regions.statuses(nameOf(request)).map((status) => [status.name, status]),
      ),
    })),
    SystemSharedMemoryRegister: guarded((request) => {
      const { key, offset, byte_size: byteSize } = request
      regions.register({
        name: nameOf(request),
        key: read.text(key),
        offset: read.number(offset),
        byte_size: read.number(byteSize),
      })
      return {}
    }),
    SystemSharedMemoryUnregister: guarded((request) => {
      regions.unregister(nameOf(request))
      return {}
    }),
    CudaSharedMemoryStatus: guarded((request) => {
      findCudaRegions(nameOf(request))
      return { regions: {} }
    }),
    CudaSharedMemoryRegister: guarded(({ raw_handle: handle }) =>
      refuseCudaRegion(handle instanceof Uint8Array ? handle : new Uint8Array()),
    ),
    CudaSharedMemoryUnregister: guarded(() => ({})),
  }
}

function nameOf(request: Message): string {
  return read.text(request['name'])
}
