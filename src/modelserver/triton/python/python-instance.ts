import { backOffDelayMs } from '../../../domain/back-off.ts'
import type { Log } from '../../log.ts'
import type { ExecutionTimes, InferenceRequest, ModelInstance } from '../backend.ts'
import { nowNs } from '../clock.ts'
import { ServingError, toServingError } from '../serving-error.ts'
import { FrameBody, writeParameters, writeValue } from './frame-tensors.ts'
import type { Execution, TritonMessage } from './messages.ts'
import type { ModelCalls } from './model-calls.ts'
import { OpenRequest } from './open-request.ts'
import { PythonProcess } from './python-process.ts'
import type { ProcessOptions } from './python-process.ts'

type JsonObject = Readonly<Record<string, unknown>>

/** What an instance needs. */
export interface PythonInstanceOptions extends ProcessOptions {
  readonly isDecoupled: () => boolean
  /** Answers what the model asks of the server; one for each process. */
  readonly createCalls: (process: PythonProcess) => ModelCalls
  /** Makes the model in a process that has started. @throws ServingError */
  readonly load: (process: PythonProcess) => Promise<void>
  readonly log: Log
}

const RESTARTS = { freeCount: 1, firstDelayMs: 100, delayMsMax: 30_000 }
const SEQUENCE_START = 1
const SEQUENCE_END = 2

/** One copy of a Python model in a process of its own, started again when it dies. */
export class PythonInstance implements ModelInstance {
  readonly #options: PythonInstanceOptions
  /** The process that serves, or will after its restart. */
  #loaded: Promise<PythonProcess>
  #current: PythonProcess | undefined
  readonly #open = new Map<number, OpenRequest>()
  #whenQuiet: (() => void)[] = []
  #lastNumber = 0
  #deathCount = 0
  #wasLoaded = false
  #isClosed = false

  constructor(options: PythonInstanceOptions) {
    this.#options = options
    this.#loaded = this.#start()
    // It may be that nobody waits for it by the time it fails.
    this.#loaded.catch(() => undefined)
  }

  /** Resolves when it can serve. @throws ServingError it cannot be loaded. */
  async whenLoaded(): Promise<void> {
    await this.#loaded
  }

  async execute(requests: readonly InferenceRequest[]): Promise<ExecutionTimes> {
    const computeStartNs = nowNs()
    const opened = requests.map((request) => this.#enter(request))
    let userNs: readonly number[] = []
    try {
      const process = await this.#loaded
      const message = await this.#run(process, opened)
      if (message.kind === 'executed') {
        userNs = message.userNs
        this.#deathCount = 0
        this.#answer(opened, message.execution)
      }
    } catch (error) {
      const failure = this.#inExecution(toServingError(error).message)
      for (const one of opened) one.fail(failure)
      // It takes no more until it can serve again, or has failed to.
      await this.#loaded.catch(() => undefined)
    }
    return timesOf(computeStartNs, nowNs(), userNs)
  }

  /** What the model itself says of its readiness. */
  async isReady(): Promise<boolean> {
    return (await this.#current?.isReady()) ?? false
  }

  /** Ends it, when what its response senders have still to send is out. */
  async close(): Promise<void> {
    if (this.#open.size > 0 && this.#current !== undefined) {
      await new Promise<void>((resolve) => this.#whenQuiet.push(resolve))
    }
    this.#isClosed = true
    await this.#current?.close()
  }

  #enter(request: InferenceRequest): OpenRequest {
    const number = (this.#lastNumber = (this.#lastNumber + 1) % 2 ** 32)
    const open = new OpenRequest({
      number,
      request,
      isDecoupled: this.#options.isDecoupled(),
      onCancel: () => this.#current?.cancel(number),
      onOver: () => {
        this.#open.delete(number)
        if (this.#open.size === 0) for (const resolve of this.#whenQuiet.splice(0)) resolve()
      },
    })
    this.#open.set(number, open)
    return open
  }

  #run(process: PythonProcess, opened: readonly OpenRequest[]): Promise<TritonMessage> {
    const body = new FrameBody()
    const requests = opened.map(({ number, request }) => describe(number, request, body))
    return process.execute({ requests }, body.parts)
  }

  #answer(opened: readonly OpenRequest[], execution: Execution): void {
    if ('error' in execution) {
      const failure = this.#inExecution(execution.error)
      for (const one of opened) one.fail(failure)
      return
    }
    for (const [index, one] of opened.entries()) {
      const answer = execution.answers[index]
      if (answer !== undefined) one.answer(answer, true)
    }
  }

  // Source: Triton `python_be.cc`.
  #inExecution(message: string): ServingError {
    const { instanceName } = this.#options
    const text = `Failed to process the request(s) for model '${instanceName}', message: ${message}`
    return new ServingError('INTERNAL', text, 'BACKEND')
  }

  async #start(): Promise<PythonProcess> {
    const process: PythonProcess = new PythonProcess(this.#options, {
      onResponse: (number, answer, isFinal) => this.#open.get(number)?.answer(answer, isFinal),
      onWish: (number, wish) => calls.take(number, wish),
      onExit: (how) => {
        calls.close()
        this.#bury(how)
      },
    })
    const calls = this.#options.createCalls(process)
    this.#current = process
    await process.start()
    await this.#options.load(process)
    this.#wasLoaded = true
    return process
  }

  #bury(how: string): void {
    this.#current = undefined
    const { log, instanceName } = this.#options
    const died = this.#inExecution(`Stub process '${instanceName}' is not healthy: it ${how}.`)
    for (const one of this.#open.values()) one.fail(died)
    // What has never been loaded will not load the next time either.
    if (this.#isClosed || !this.#wasLoaded) return
    this.#deathCount += 1
    const delayMs = backOffDelayMs(this.#deathCount, RESTARTS)
    log('error', 'Python worker died', { instance: instanceName, reason: how, delayMs })
    this.#loaded = new Promise((resolve) => setTimeout(resolve, delayMs)).then(() => {
      if (this.#isClosed) throw new ServingError('UNAVAILABLE', 'the model is being unloaded')
      return this.#start()
    })
    this.#loaded.catch(() => undefined)
  }
}

function describe(number: number, request: InferenceRequest, body: FrameBody): JsonObject {
  const { id, inputs, requestedOutputs, parameters, correlationId, priority, timeoutMs } = request
  const { isSequenceStart, isSequenceEnd } = request
  return {
    number,
    id,
    inputs: body.add(inputs),
    outputs: requestedOutputs,
    parameters: writeParameters(parameters),
    correlationId: writeValue(correlationId),
    flags: (isSequenceStart ? SEQUENCE_START : 0) + (isSequenceEnd ? SEQUENCE_END : 0),
    priority,
    timeoutUs: Math.round(timeoutMs * 1000),
  }
}

// The clock of Python is the same where both read the system's monotonic one; where not, it all counts as user code.
function timesOf(
  computeStartNs: number,
  computeEndNs: number,
  [begunNs = computeStartNs, endedNs = computeEndNs]: readonly number[],
): ExecutionTimes {
  const isSameClock = begunNs >= computeStartNs && endedNs <= computeEndNs && begunNs <= endedNs
  if (!isSameClock) {
    return { computeStartNs, inputEndNs: computeStartNs, outputStartNs: computeEndNs, computeEndNs }
  }
  return { computeStartNs, inputEndNs: begunNs, outputStartNs: endedNs, computeEndNs }
}
