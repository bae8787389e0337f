import { BatchCostModel } from '../../domain/batch-cost.ts'
import { decideBatch } from '../../domain/batching.ts'
import type { BatchLimits, WaitingItem } from '../../domain/batching.ts'
import type { RowRange } from '../codecs/plain-rows.ts'
import type { NamedTensor } from '../codecs/tensor.ts'
import type { Log } from '../log.ts'
import { countRows, hasBatchDimension, joinRows } from './batch-rows.ts'
import { CallCodec, rejectionReply } from './decode-call.ts'
import type { Decoded } from './decode-call.ts'
import type { Model } from './model.ts'
import type { CallRefusal, ModelCall } from './model-call.ts'
import { judgeBatching, judgeByRows } from './prove-batching.ts'
import { runModel } from './run-model.ts'

// Past these a batch of a small model gains nothing and only makes the others wait.
const BATCH_LIMITS: BatchLimits = { itemsMax: 64, rowsMax: 256 }
// Requests whose rows tell whether the model may be batched, where random rows do not.
const TRIED_MAX = 3
// Some dozen runs make the average.
const PACE_WEIGHT = 0.05
const ALONE: BatchLimits = { itemsMax: 1, rowsMax: Infinity }

/** What a batcher needs. */
export interface BatcherOptions {
  readonly model: Model
  readonly isBatching: boolean
  /** Calls that may wait; further ones are refused. */
  readonly waitingMax: number
  readonly log: Log
  /** Called when a run's answers have been given, with what a call cost of late: its share of a run. */
  readonly onAnswered: (callUs: number) => void
}

/** A call in the line, decoded. */
interface Ticket extends WaitingItem {
  readonly call: ModelCall
  readonly decoded: Decoded
}

/**
 * The waiting line of one worker, and its runs.
 *
 * While a run goes on, whatever arrives waits; when it ends, what waits then makes the next run. There is no timer: an
 * idle worker runs a single call at once, and a busy one finds its batch waiting.
 */
export class Batcher {
  readonly #options: BatcherOptions
  readonly #codec: CallCodec
  readonly #cost = new BatchCostModel()
  /** Arrived and not yet decoded: what is given up in the meantime costs nothing. */
  #arrived: ModelCall[] = []
  #line: Ticket[] = []
  #isRunning = false
  #whenIdle: (() => void)[] = []
  #callUs = 0
  /** Undefined until rows have told. */
  #canBatch: boolean | undefined
  #hasTriedRandomRows = false

  constructor(options: BatcherOptions) {
    this.#options = options
    this.#codec = new CallCodec(options.model)
    const { signature } = options.model.session
    if (!options.isBatching || !hasBatchDimension(signature)) this.#canBatch = false
  }

  get waitingCount(): number {
    return this.#arrived.length + this.#line.length
  }

  /** Takes a call; it is answered or refused once, unless its caller gives it up. */
  add(call: ModelCall): void {
    const { waitingMax } = this.#options
    if (this.waitingCount >= waitingMax + BATCH_LIMITS.itemsMax) this.#forgetOver()
    if (this.#isRunning && this.waitingCount >= waitingMax) {
      call.refuse('overloaded', `The worker is busy and ${waitingMax} invocations wait.`)
      return
    }
    this.#arrived.push(call)
    if (!this.#isRunning) this.#start()
  }

  // After all sockets that were readable have been read, so that what arrived together runs together.
  #start(): void {
    this.#isRunning = true
    setImmediate(() => void this.#runAll())
  }

  async #runAll(): Promise<void> {
    while (this.waitingCount > 0) {
      await this.#runNext()
      // The sockets' turn: what came during the run is to be in the next one.
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.#isRunning = false
    for (const resolve of this.#whenIdle.splice(0)) resolve()
  }

  /** Resolves when no run goes on, those included whose callers have all left: ending the thread then is safe. */
  async idle(): Promise<void> {
    if (this.#isRunning) await new Promise<void>((resolve) => this.#whenIdle.push(resolve))
  }

  async #runNext(): Promise<void> {
    this.#decodeArrived()
    if (this.#line.length > 1) this.#canBatch ??= await this.#judge()
    const limits = this.#canBatch === true ? BATCH_LIMITS : ALONE
    const { take, shed } = decideBatch(this.#line, this.#cost, limits, performance.now())
    const batch = this.#leaveLine(take, shed)
    if (batch.length > 0) {
      const startedAtMs = performance.now()
      await this.#run(batch)
      const callUs = ((performance.now() - startedAtMs) * 1000) / batch.length
      const weight = this.#callUs === 0 ? 1 : PACE_WEIGHT
      this.#callUs += weight * (callUs - this.#callUs)
    }
    this.#options.onAnswered(this.#callUs)
  }

  /** @returns the batch, out of the line; what was shed has been told. */
  #leaveLine(
    take: readonly number[],
    shed: readonly { readonly index: number }[],
  ): readonly Ticket[] {
    const line = this.#line
    if (take.length === line.length) {
      this.#line = []
      return line
    }
    const batch = take.flatMap((index) => line[index] ?? [])
    const leaving = new Set([...take, ...shed.map(({ index }) => index)])
    for (const { index } of shed) this.#refuse(line[index])
    this.#line = line.filter((_ticket, index) => !leaving.has(index))
    return batch
  }

  #forgetOver(): void {
    this.#arrived = this.#arrived.filter((call) => !call.isOver)
    this.#line = this.#line.filter(({ call }) => !call.isOver)
  }

  #decodeArrived(): void {
    this.#line = this.#line.filter(({ call }) => !call.isOver)
    const arrived = this.#arrived
    this.#arrived = []
    for (const call of arrived) {
      if (call.isOver) continue
      try {
        this.#line.push(createTicket(call, this.#codec.decode(call.request)))
      } catch (error) {
        call.answer(rejectionReply(error))
      }
    }
  }

  // At the first opportunity, not while loading: a cold start must not wait for it.
  async #judge(): Promise<boolean | undefined> {
    const { model, log } = this.#options
    const verdict = this.#hasTriedRandomRows
      ? await judgeByRows(model.session, this.#rowsThatWait())
      : await judgeBatching(model.session)
    this.#hasTriedRandomRows = true
    if (verdict.kind === 'batched') return true
    if (verdict.kind === 'unknown') return undefined
    log('info', 'model not batched', { reason: verdict.reason })
    return false
  }

  // A few are enough to tell, and the first callers wait for it.
  #rowsThatWait(): readonly NamedTensor[] {
    const [first] = this.#line
    const alike = this.#line.filter(({ shapeKey }) => shapeKey === first?.shapeKey)
    return joinRows(alike.slice(0, TRIED_MAX).map(({ decoded }) => decoded.inputs))
  }

  #refuse(ticket: Ticket | undefined): void {
    if (ticket === undefined) return
    const isLate = ticket.deadlineAtMs <= performance.now()
    const reason: CallRefusal = isLate ? 'expired' : 'overloaded'
    ticket.call.refuse(reason, 'The invocation cannot be answered before its deadline.')
  }

  async #run(batch: readonly Ticket[]): Promise<void> {
    const startedAtMs = performance.now()
    const rowCount = batch.reduce((sum, ticket) => sum + ticket.rowCount, 0)
    const inputs = joinRows(batch.map(({ decoded }) => decoded.inputs))
    let outputs: readonly NamedTensor[]
    try {
      outputs = await runModel(this.#options.model.session, inputs)
    } catch (error) {
      // What one call of a batch causes must not be another's answer.
      const [only] = batch
      if (only !== undefined && batch.length === 1) only.call.answer(rejectionReply(error))
      else await this.#runApart(batch)
      return
    }
    this.#cost.record(rowCount, performance.now() - startedAtMs)
    await this.#answer(batch, outputs, rowCount)
  }

  async #runApart(batch: readonly Ticket[]): Promise<void> {
    for (const ticket of batch) await this.#run([ticket])
  }

  async #answer(
    batch: readonly Ticket[],
    outputs: readonly NamedTensor[],
    rowCount: number,
  ): Promise<void> {
    const [only] = batch
    if (only !== undefined && batch.length === 1) return this.#answerOne(only, outputs, undefined)
    if (countRows(outputs) !== rowCount) {
      // These rows show what random ones did not.
      this.#options.log('warn', 'model not batched', { reason: 'a batch gave other rows' })
      this.#canBatch = false
      return this.#runApart(batch)
    }
    let start = 0
    for (const ticket of batch) {
      const end = start + ticket.rowCount
      this.#answerOne(ticket, outputs, { start, end })
      start = end
    }
  }

  /** Calls that one message may bring at a time; more would only wait here instead of there. */
  get callsMax(): number {
    return this.#canBatch === false ? 1 : BATCH_LIMITS.itemsMax
  }

  #answerOne(
    { call, decoded }: Ticket,
    outputs: readonly NamedTensor[],
    range: RowRange | undefined,
  ): void {
    try {
      call.answer(this.#codec.encode(outputs, decoded, range))
    } catch (error) {
      call.answer(rejectionReply(error))
    }
  }
}

function createTicket(call: ModelCall, decoded: Decoded): Ticket {
  const { arrivedAtMs: enqueuedAtMs = performance.now(), deadlineAtMs } = call
  const { rowCount, shapeKey } = decoded
  return { call, decoded, enqueuedAtMs, deadlineAtMs, rowCount, shapeKey }
}
