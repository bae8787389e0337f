import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import { sharedMemoryDisabled } from '../../../wire/oip/shared-part.ts'
import type { SharedPart } from '../../../wire/oip/shared-part.ts'
import { ServingError } from '../serving-error.ts'

/** A region that a client has registered. */
export interface RegionStatus {
  readonly name: string
  readonly key: string
  readonly offset: number
  readonly byte_size: number
}

/** A part of a region that stays open until it is released, whether the region is unregistered or not. */
export interface OpenPart {
  readonly byteSize: number
  write(bytes: Uint8Array): void
  release(): void
}

interface Region {
  readonly status: RegionStatus
  readonly descriptor: number
  useCount: number
  isRegistered: boolean
}

// Where Linux keeps what `shm_open` makes.
const FOLDER = '/dev/shm'
// As `shm_open`: a link would lead out of the folder, and a pipe could make us wait.
const { O_RDWR, O_NOFOLLOW, O_NONBLOCK } = constants
const OPEN_FLAGS = O_RDWR | O_NOFOLLOW | O_NONBLOCK
// What Triton maps begins with a page; clients are told the same here.
const PAGE_BYTES = 4096
// Source: Triton refuses the regions of its own Python backend.
const RESERVED_PREFIX = 'triton_python_backend_shm_region_'

/**
 * The regions of POSIX shared memory that clients have registered.
 *
 * Node cannot map memory, so a region is the open file behind it: what is read of it or written to it is copied once, as
 * it would be from a socket. Both ends see the same bytes.
 */
export class SharedRegions {
  readonly isAllowed: boolean
  readonly #regions = new Map<string, Region>()

  constructor(isAllowed: boolean) {
    this.isAllowed = isAllowed
  }

  /** @throws ServingError it is known already, or there is no such memory. */
  register(status: RegionStatus): void {
    this.refuseIfDisabled()
    const { name, key } = status
    if (this.#regions.has(name)) {
      const message = `shared memory region '${name}' already in manager`
      throw new ServingError('ALREADY_EXISTS', message)
    }
    const descriptor = openSharedMemory(key)
    const stat = fstatSync(descriptor)
    const size = stat.isFile() ? stat.size : 0
    const isInside = status.byte_size > 0 && status.offset + status.byte_size <= size
    if (!isInside || status.offset % PAGE_BYTES !== 0) {
      closeSync(descriptor)
      throw new ServingError('INTERNAL', `Invalid shared memory region: '${key}'`)
    }
    const shown = { name, key, offset: status.offset, byte_size: status.byte_size }
    this.#regions.set(name, { status: shown, descriptor, useCount: 0, isRegistered: true })
  }

  /** Forgets a region, or all for an empty name. One that nobody knows is no error. */
  unregister(name: string): void {
    this.refuseIfDisabled()
    for (const [known, region] of this.#regions) {
      if (name !== '' && known !== name) continue
      this.#regions.delete(known)
      region.isRegistered = false
      closeWhenUnused(region)
    }
  }

  /** One region, or all for an empty name, in the order of their names. @throws ServingError NOT_FOUND */
  statuses(name: string): readonly RegionStatus[] {
    this.refuseIfDisabled()
    const all = [...this.#regions.values()].map(({ status }) => status)
    if (name === '') return all.toSorted((a, b) => (a.name < b.name ? -1 : 1))
    const found = all.filter((status) => status.name === name)
    if (found.length > 0) return found
    throw new ServingError('NOT_FOUND', `Unable to find system shared memory region: '${name}'`)
  }

  /** The bytes of a part, as they are now. @throws ServingError no such region, or the part is not inside it. */
  read(part: SharedPart): Uint8Array {
    const { region, start } = this.#find(part)
    const bytes = new Uint8Array(Number(part.byteSize))
    const readBytes = readSync(region.descriptor, bytes, 0, bytes.length, start)
    if (readBytes === bytes.length) return bytes
    throw new ServingError('INTERNAL', `shared memory region '${part.region}' has become shorter`)
  }

  /** Keeps a part for what is to be written to it. @throws ServingError as {@link read}. */
  open(part: SharedPart): OpenPart {
    const { region, start } = this.#find(part)
    region.useCount += 1
    return {
      byteSize: Number(part.byteSize),
      write: (bytes) => {
        for (let at = 0; at < bytes.length;) {
          at += writeSync(region.descriptor, bytes, at, bytes.length - at, start + at)
        }
      },
      release: () => {
        region.useCount -= 1
        closeWhenUnused(region)
      },
    }
  }

  /** @throws ServingError UNSUPPORTED: the server does not share memory with clients. */
  refuseIfDisabled(): void {
    if (!this.isAllowed) throw sharedMemoryDisabled()
  }

  #find({ region: name, offset, byteSize }: SharedPart): {
    readonly region: Region
    readonly start: number
  } {
    this.refuseIfDisabled()
    const region = this.#regions.get(name)
    if (region === undefined) {
      throw new ServingError('NOT_FOUND', `Unable to find shared memory region: '${name}'`)
    }
    const { status } = region
    if (offset < 0n || offset >= BigInt(status.byte_size)) {
      throw new ServingError('INVALID_ARG', `Invalid offset for shared memory region: '${name}'`)
    }
    if (byteSize <= 0n || offset + byteSize > BigInt(status.byte_size)) {
      const message = `Invalid offset + byte size for shared memory region: '${name}'`
      throw new ServingError('INVALID_ARG', message)
    }
    return { region, start: status.offset + Number(offset) }
  }
}

function openSharedMemory(key: string): number {
  // As `shm_open`: leading slashes say nothing, and no other may be there.
  const file = key.replace(/^\/+/, '')
  const isName = file !== '' && file !== '.' && file !== '..' && !file.includes('/')
  try {
    if (isName && !file.startsWith(RESERVED_PREFIX))
      return openSync(`${FOLDER}/${file}`, OPEN_FLAGS)
  } catch {
    // Said below: why it cannot be opened is not for clients.
  }
  throw new ServingError('INTERNAL', `Unable to open shared memory region: '${key}'`)
}

function closeWhenUnused({ descriptor, useCount, isRegistered }: Region): void {
  if (!isRegistered && useCount === 0) closeSync(descriptor)
}
