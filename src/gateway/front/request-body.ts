import { ArrivingBody } from '../body.ts'
import type { BodyLimits, HeldBody } from '../body.ts'
import { ClientGone } from '../deadline.ts'

/** The body of one request on a connection of the raw front: kept, collected or dropped as it arrives. */
export class RequestBody {
  readonly announcedBytes: number
  #missingBytes: number
  /** What came before the body was asked for. */
  #early: Buffer[] = []
  #earlyBytes = 0
  #droppedBytes = 0
  #arriving: ArrivingBody | undefined
  #waiting: PromiseWithResolvers<HeldBody> | undefined
  #failure: Error | undefined

  constructor(announcedBytes: number) {
    this.announcedBytes = announcedBytes
    this.#missingBytes = announcedBytes
  }

  get isWhole(): boolean {
    return this.#missingBytes === 0
  }

  get earlyBytes(): number {
    return this.#earlyBytes
  }

  get droppedBytes(): number {
    return this.#droppedBytes
  }

  /** Takes what belongs to the body. @returns the bytes after it. */
  take(bytes: Buffer): Buffer | undefined {
    const isAllOurs = bytes.length <= this.#missingBytes
    const ours = isAllOurs ? bytes : bytes.subarray(0, this.#missingBytes)
    const rest = isAllOurs ? undefined : bytes.subarray(this.#missingBytes)
    if (ours.length === 0) return rest
    this.#missingBytes -= ours.length
    if (this.#failure !== undefined) this.#droppedBytes += ours.length
    else if (this.#arriving !== undefined) this.#add(this.#arriving, ours)
    else {
      this.#early.push(ours)
      this.#earlyBytes += ours.length
    }
    return rest
  }

  /** Reads it to its end. To be called once; throws as `readBody` does. */
  receive(limits: BodyLimits): HeldBody | Promise<HeldBody> {
    if (this.#failure !== undefined) throw this.#failure
    const arriving = new ArrivingBody(this.announcedBytes, limits)
    try {
      for (const piece of this.#early) arriving.add(piece)
    } catch (error) {
      arriving.giveBack()
      throw error
    }
    this.#early = []
    this.#earlyBytes = 0
    if (this.isWhole) return arriving.hold()
    this.#arriving = arriving
    this.#waiting = Promise.withResolvers()
    return this.#waiting.promise
  }

  /** Whoever waits for it waits in vain; what comes from now on is dropped. */
  fail(failure: Error): void {
    this.#failure ??= failure
    this.#early = []
    this.#earlyBytes = 0
    this.#arriving?.giveBack()
    this.#arriving = undefined
    this.#waiting?.reject(failure)
    this.#waiting = undefined
  }

  /** Nobody wants the rest. */
  drop(): void {
    this.fail(new ClientGone())
  }

  #add(arriving: ArrivingBody, piece: Buffer): void {
    try {
      arriving.add(piece)
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)))
      return
    }
    if (!this.isWhole) return
    this.#waiting?.resolve(arriving.hold())
    this.#waiting = undefined
    this.#arriving = undefined
  }
}
