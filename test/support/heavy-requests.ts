import type { InferenceClient } from './inference-client.ts'
import type { RunningTriton } from './triton-server.ts'
import { until } from './until.ts'

/** A request to a model of `heavy.onnx`. */
interface HeavyRequest {
  /** That keep an instance busy. */
  readonly rounds: number
  /** @defaultValue heavy */
  readonly model?: string
  readonly parameters?: object
}

/** Requests to models of `heavy.onnx`, in the order in which they were answered. */
export class HeavyRequests {
  readonly #server: RunningTriton
  readonly #client: InferenceClient
  readonly #answered: string[] = []
  readonly #all: Promise<void>[] = []

  constructor(server: RunningTriton, client: InferenceClient) {
    this.#server = server
    this.#client = client
  }

  send(name: string, { rounds, model = 'heavy', parameters = {} }: HeavyRequest): void {
    const answer = async (): Promise<void> => {
      const contents = { int64_contents: [rounds] }
      const inputs = [{ name: 'rounds', datatype: 'INT64', shape: [1, 1], contents }]
      await this.#client.infer({ model_name: model, inputs, parameters })
      this.#answered.push(name)
    }
    this.#all.push(answer())
  }

  /** Waits until so many wait for a model. @returns false when one was answered before. */
  async areWaiting(count: number, model = 'heavy'): Promise<boolean> {
    const waits = `nv_inference_pending_request_count{model="${model}",version="1"} ${count}\n`
    const outcome = await until(`${count} that wait for ${model}, or an answer`, async () => {
      if (this.#answered.length > 0) return 'late'
      const metrics = await (await fetch(this.#server.metricsUrl)).text()
      return metrics.includes(waits) && 'waiting'
    })
    return outcome === 'waiting'
  }

  /** @returns their names, by answer. */
  async end(): Promise<readonly string[]> {
    await Promise.all(this.#all)
    return this.#answered
  }
}

/**
 * Sends requests that are to line up behind one that runs.
 *
 * @param arrange sends them. @returns whether all stand in line.
 * @returns the order in which they were answered; undefined when one was answered before all stood in line, as on a machine
 * that is busy elsewhere.
 */
export async function lineUp(
  server: RunningTriton,
  client: InferenceClient,
  arrange: (requests: HeavyRequests) => Promise<boolean>,
): Promise<readonly string[] | undefined> {
  const requests = new HeavyRequests(server, client)
  const isLinedUp = await arrange(requests)
  const answered = await requests.end()
  return isLinedUp ? answered : undefined
}
