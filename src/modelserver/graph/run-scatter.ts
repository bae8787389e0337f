import { aggregateAnswers } from '../../domain/graph/aggregate/aggregate.ts'
import { UnfitAnswers } from '../../domain/graph/aggregate/answers.ts'
import type { BranchAnswer } from '../../domain/graph/aggregate/answers.ts'
import { sum } from '../../domain/graph/aggregate/numbers.ts'
import { isVoteDecided } from '../../domain/graph/aggregate/votes.ts'
import { decideScatter } from '../../domain/graph/decide-scatter.ts'
import type { ScatterVerdict } from '../../domain/graph/decide-scatter.ts'
import type { Branch, ScatterNode } from '../../domain/graph/graph.ts'
import type { PlannedNode } from '../../domain/graph/plan-graph.ts'
import { Document } from './document.ts'
import { NodeFailure } from './node-failure.ts'
import type { Run, RunNode, Scope } from './run.ts'
import { withinTime } from './time-limit.ts'

/** Asks all branches at the same time. @throws NodeFailure: too few answered, or their answers do not fit. */
export async function runScatter(
  node: ScatterNode<PlannedNode>,
  input: Document,
  { run, scope, runNode }: { readonly run: Run; readonly scope: Scope; readonly runNode: RunNode },
): Promise<Document> {
  const gathering = new Gathering(node, run)
  const enough = new AbortController()
  const stop = (): void => gathering.give(scope.signal.reason)
  scope.signal.addEventListener('abort', stop, { once: true })
  const timer =
    node.deadlineMs === undefined
      ? undefined
      : setTimeout(() => gathering.passDeadline(), node.deadlineMs)
  for (const branch of node.branches) {
    const startedAtMs = performance.now()
    withinTime(`Branch ${branch.name}`, branch.timeoutMs, enough.signal, (signal) =>
      runNode(branch.node, input, run, { ...scope, signal }),
    ).then(
      (answer) => gathering.take(branch, answer, performance.now() - startedAtMs),
      (error: unknown) => gathering.fail(branch, error, performance.now() - startedAtMs),
    )
  }
  try {
    await gathering.whenEnough
  } finally {
    clearTimeout(timer)
    scope.signal.removeEventListener('abort', stop)
    // Nobody listens once all have ended, and an abort would cost as much as half of the aggregate.
    if (gathering.close() > 0) enough.abort(NOT_WAITED_FOR)
  }
  const { aggregate } = node
  if (aggregate.kind === 'first-success') return gathering.first()
  const answer = Document.ofValue(gathering.aggregate())
  return aggregate.kind === 'stacking' ? runNode(aggregate.node, answer, run, scope) : answer
}

const NOT_WAITED_FOR = new Error('the graph does not wait for this branch any more')

/** The answers of one scatter as they come. */
class Gathering {
  readonly whenEnough: Promise<void>
  readonly #node: ScatterNode<PlannedNode>
  readonly #run: Run
  readonly #answers = new Map<string, Document>()
  readonly #failures: { readonly branch: string; readonly failure: NodeFailure }[] = []
  readonly #startedAtMs = performance.now()
  #isDeadlinePassed = false
  #isClosed = false
  #resolve: () => void
  #reject: (reason: unknown) => void

  constructor(node: ScatterNode<PlannedNode>, run: Run) {
    this.#node = node
    this.#run = run
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.whenEnough = promise
    this.#resolve = resolve
    this.#reject = reject
  }

  take(branch: Branch<PlannedNode>, answer: Document, tookMs: number): void {
    if (this.#isClosed) return
    this.#answers.set(branch.name, answer)
    this.#report(branch.name, tookMs, undefined)
    this.#decide()
  }

  fail(branch: Branch<PlannedNode>, error: unknown, tookMs: number): void {
    if (this.#isClosed) return
    // Anything else is a bug, and no branch may hide it.
    if (!(error instanceof NodeFailure)) return this.give(error)
    this.#failures.push({ branch: branch.name, failure: error })
    this.#report(branch.name, tookMs, error.message)
    this.#decide()
  }

  passDeadline(): void {
    this.#isDeadlinePassed = true
    this.#decide()
  }

  give(error: unknown): void {
    this.#reject(error)
  }

  /** Nothing counts any more; branches that are outstanding are reported as such. @returns how many these are. */
  close(): number {
    this.#isClosed = true
    const outstanding = this.#outstanding()
    if (outstanding.length === 0) return 0
    const tookMs = performance.now() - this.#startedAtMs
    const why = this.#isDeadlinePassed
      ? `no answer within ${this.#node.deadlineMs} ms`
      : 'not waited for'
    for (const { name } of outstanding) this.#report(name, tookMs, why)
    return outstanding.length
  }

  first(): Document {
    const [first] = this.#answers.values()
    if (first === undefined) throw this.#tooFew()
    return first
  }

  aggregate() {
    try {
      return aggregateAnswers(this.#node.aggregate, this.#read())
    } catch (error) {
      if (!(error instanceof UnfitAnswers)) throw error
      throw new NodeFailure(error.message, 502)
    }
  }

  #decide(): void {
    const verdict = this.#verdict()
    if (verdict === 'answer') this.#resolve()
    if (verdict === 'fail') this.#reject(this.#tooFew())
  }

  #verdict(): ScatterVerdict {
    const { quorum, waitFor } = this.#node
    const outstandingCount = this.#outstanding().length
    return decideScatter({
      answeredCount: this.#answers.size,
      failedCount: this.#failures.length,
      outstandingCount,
      quorum,
      waitFor,
      isDecided: waitFor === 'decision' && this.#isDecided(),
      isDeadlinePassed: this.#isDeadlinePassed,
    })
  }

  #isDecided(): boolean {
    const { aggregate } = this.#node
    if (aggregate.kind !== 'majority-vote' && aggregate.kind !== 'weighted-vote') return false
    const isWeighted = aggregate.kind === 'weighted-vote'
    const weights = this.#outstanding().map(({ weight }) => (isWeighted ? weight : 1))
    const options = { isWeighted, classes: aggregate.classes }
    try {
      return isVoteDecided(this.#read(), sum(weights), options)
    } catch (error) {
      // The aggregate will say what does not fit.
      if (error instanceof UnfitAnswers || error instanceof NodeFailure) return true
      throw error
    }
  }

  #read(): readonly BranchAnswer[] {
    return this.#node.branches.flatMap(({ name, weight }) => {
      const answer = this.#answers.get(name)
      return answer === undefined ? [] : [{ branch: name, weight, value: answer.value }]
    })
  }

  #outstanding(): readonly Branch<PlannedNode>[] {
    return this.#node.branches.filter(
      ({ name }) =>
        !this.#answers.has(name) && !this.#failures.some(({ branch }) => branch === name),
    )
  }

  #tooFew(): NodeFailure {
    const { branches, quorum, deadlineMs } = this.#node
    const counts = `${this.#answers.size} of ${branches.length} branches answered; ${quorum} are needed.`
    const why = this.#failures.map(({ branch, failure }) => `${branch}: ${failure.message}`)
    const late = this.#isDeadlinePassed ? [`${deadlineMs} ms have passed.`] : []
    const [first] = this.#failures
    const isAllInput = this.#failures.every(({ failure }) => failure.status < 500)
    const status = this.#isDeadlinePassed
      ? 504
      : first !== undefined && isAllInput
        ? first.failure.status
        : 502
    return new NodeFailure([counts, ...late, ...why].join(' '), status)
  }

  #report(branch: string, tookMs: number, missing: string | undefined): void {
    this.#run.branches.push({ branch, tookMs, missing })
  }
}
