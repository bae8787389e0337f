import { decideSequenceBatch } from '../../domain/sequence-batch.ts'
import type { SequenceRow } from '../../domain/sequence-batch.ts'
import { SequenceLine } from '../../domain/sequence-line.ts'
import type { SequenceItem } from '../../domain/sequence-line.ts'
import type { QueuedRows } from '../../domain/dynamic-batch.ts'
import type { Tensor } from '../../wire/oip/tensor.ts'
import type { Log } from '../log.ts'
import { nowNs } from './clock.ts'
import { DispatchTimer } from './dispatch-timer.ts'
import { withRequestId } from './enqueued.ts'
import type { Enqueued } from './enqueued.ts'
import type { Seat, Turns } from './rate-limiter.ts'
import { runBatch } from './run-batch.ts'
import { cancelled, Drain, stopped } from './runner.ts'
import type { Runner } from './runner.ts'
import { findSequenceProblem } from './sequence-problem.ts'
import type { SequenceBatching } from './sequence-batching.ts'
import { SequenceRows } from './sequence-rows.ts'
import { ServingError } from './serving-error.ts'
import { shapeKeyOf } from './shape-key.ts'
import type { Statistics } from './statistics.ts'

/** What a scheduler of sequences needs. */
export interface SequenceSchedulerOptions {
  readonly model: string
  readonly seats: readonly Seat[]
  readonly turns: Turns
  readonly batching: SequenceBatching
  readonly maxBatchSize: number
  /** Names of inputs whose shape may differ within a batch. */
  readonly raggedInputs: ReadonlySet<string>
  /** State inputs of the first request of a sequence. */
  readonly initialStates: readonly Tensor[]
  readonly statistics: Statistics
  readonly log: Log
}

interface Ticket extends SequenceItem, QueuedRows {
  readonly request: Enqueued
  readonly queueStartNs: number
  readonly stopListening: () => void
}

/**
 * The sequences of one version of a model, and the instances that run them. An instance runs one batch at a time with at most
 * one request of a sequence in it, so a sequence's requests run, and are answered, in their order.
 */
export class SequenceScheduler implements Runner {
  readonly #options: SequenceSchedulerOptions
  readonly #line: SequenceLine<Ticket>
  readonly #rows: SequenceRows
  readonly #idle: Set<Seat>
  readonly #timer = new DispatchTimer(() => this.#dispatch())
  readonly #drain = new Drain(() => this.outstandingCount)
  #runningCount = 0

  constructor(options: SequenceSchedulerOptions) {
    this.#options = options
    const { seats, batching } = options
    const { slotCount, idleMs } = batching
    this.#idle = new Set(seats)
    this.#line = new SequenceLine({ instanceCount: seats.length, slotCount, idleMs })
    this.#rows = new SequenceRows(options)
  }

  get outstandingCount(): number {
    return this.#line.size + this.#runningCount
  }

  enqueue(request: Enqueued): void {
    const { model, statistics, log, batching } = this.#options
    const { correlationId, isSequenceStart: isStart, isSequenceEnd: isEnd } = request
    statistics.recordPending(1)
    const problem = findSequenceProblem(request, model, batching.correlation)
    if (problem !== undefined) return this.#refuse(request, problem)
    if (this.#drain.isBegun && isStart) return this.#refuse(request, stopped())
    if (isStart && this.#line.isOpen(correlationId)) {
      log('warn', 'sequence started again before its end', { model, id: String(correlationId) })
    }
    const queueStartNs = nowNs()
    const nowMs = queueStartNs / 1e6
    const ticket: Ticket = {
      request,
      correlationId,
      isStart,
      isEnd,
      queueStartNs,
      enqueuedAtMs: nowMs,
      deadlineAtMs: request.timeoutMs > 0 ? nowMs + request.timeoutMs : Infinity,
      rowCount: 1,
      shapeKey: shapeKeyOf(request.inputs, this.#options.raggedInputs),
      stopListening: () => request.signal.removeEventListener('abort', cancel),
    }
    const cancel = (): void => {
      for (const one of this.#line.cancel(ticket)) this.#refuseWaiting(one, cancelled())
    }
    if (request.signal.aborted) return this.#refuse(request, cancelled())
    if (!this.#line.add(ticket, nowMs)) return this.#refuse(request, unstarted(model, request))
    request.signal.addEventListener('abort', cancel, { once: true })
    this.#timer.soon()
  }

  async drain(): Promise<void> {
    await this.#drain.begin()
    this.#timer.clear()
  }

  #refuseWaiting(ticket: Ticket, error: ServingError): void {
    ticket.stopListening()
    this.#refuse(ticket.request, withRequestId(ticket.request.id, error))
  }

  #refuse(request: Enqueued, error: ServingError): void {
    const { statistics } = this.#options
    statistics.recordPending(-1)
    statistics.recordFailure(nowNs() - request.requestStartNs, error.reason)
    request.fail(error)
    this.#drain.settle()
  }

  #dispatch(): void {
    const nowMs = nowNs() / 1e6
    for (const late of this.#line.expire(nowMs)) {
      late.stopListening()
      this.#refuse(late.request, expired())
    }
    let wakeAtMs = Infinity
    for (const seat of this.#idle) {
      const decision = this.#decide(seat, nowMs)
      if (decision.kind === 'wait') wakeAtMs = Math.min(wakeAtMs, decision.untilMs)
      else {
        this.#idle.delete(seat)
        const isTurn = this.#options.turns.enter(seat, () => this.#takeTurn(seat))
        if (isTurn) void this.#run(seat, decision.rows)
      }
    }
    this.#timer.at(Math.min(wakeAtMs, this.#line.nextExpiryAtMs), nowMs)
  }

  #decide(seat: Seat, nowMs: number) {
    const { batching, maxBatchSize } = this.#options
    const { strategy, slotCount } = batching
    const limits = { slotCount, rowsMax: Math.max(1, maxBatchSize) }
    return decideSequenceBatch(this.#line.heads(seat.index), strategy, limits, nowMs)
  }

  // The line may have changed since it asked for its turn.
  #takeTurn(seat: Seat): void {
    const decision = this.#decide(seat, nowNs() / 1e6)
    if (decision.kind === 'take') void this.#run(seat, decision.rows)
    else this.#rise(seat)
  }

  async #run(seat: Seat, rows: readonly SequenceRow[]): Promise<void> {
    const slots = rows.filter(({ isReady }) => isReady).map(({ slot }) => slot)
    const taken = this.#line.take(seat.index, slots)
    this.#runningCount += taken.length
    for (const { item } of taken) item.stopListening()
    const entries = this.#rows.fill(rows, taken)
    await runBatch(seat, entries, this.#options.statistics)
    this.#runningCount -= taken.length
    const sequences = taken.map(({ sequence }) => sequence)
    this.#line.finish(sequences, nowNs() / 1e6)
    this.#rise(seat)
    this.#drain.settle()
  }

  #rise(seat: Seat): void {
    this.#idle.add(seat)
    this.#options.turns.leave(seat, () => this.#dispatch())
  }
}

function unstarted(model: string, { correlationId }: Enqueued): ServingError {
  return new ServingError(
    'INVALID_ARG',
    `inference request for sequence ${correlationId} to model '${model}' must specify the START flag on the first ` +
      'request of the sequence',
  )
}

function expired(): ServingError {
  const message = 'timeout of the corresponding sequence has been expired'
  return new ServingError('UNAVAILABLE', message, 'REJECTED')
}
