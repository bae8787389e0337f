import {
  InvokeEndpointCommand,
  type SageMakerRuntimeClient,
} from '@aws-sdk/client-sagemaker-runtime'
import type { LabelledImage } from './holdout.ts'

/** What the model says about one image. */
export interface Answer {
  readonly label: number
  /** Probability of `label`, 0 to 1. */
  readonly confidence: number
  /** One per digit. */
  readonly probabilities: readonly number[]
}

/** Answers to one request, in the order of the images, and how long the request took as its caller sees it. */
export interface Reply {
  readonly answers: readonly Answer[]
  readonly latencyMs: number
}

/** Which endpoint to ask, and through which client. */
export interface Target {
  readonly client: SageMakerRuntimeClient
  readonly endpointName: string
}

/** Sends images in one request. */
export async function invoke(target: Target, images: readonly LabelledImage[]): Promise<Reply> {
  const startedAtMs = performance.now()
  const reply = await target.client.send(
    new InvokeEndpointCommand({
      EndpointName: target.endpointName,
      ContentType: 'application/json',
      Accept: 'application/json',
      Body: JSON.stringify({ instances: images.map(({ pixels }) => pixels) }),
    }),
  )
  const latencyMs = performance.now() - startedAtMs
  const answers = parseAnswers(reply.Body.transformToString())
  if (answers.length !== images.length) {
    throw new Error(`Sent ${images.length} images and got ${answers.length} answers.`)
  }
  return { answers, latencyMs }
}

/** Reads `{"predictions":[{"label":9,"probabilities":[…]}]}`. */
export function parseAnswers(body: string): readonly Answer[] {
  const { predictions } = JSON.parse(body) as { predictions?: unknown }
  if (!Array.isArray(predictions)) throw new Error(`No predictions in the reply: ${body}`)
  return predictions.map((prediction) => parseAnswer(prediction as Prediction))
}

interface Prediction {
  readonly label?: unknown
  readonly probabilities?: unknown
}

function parseAnswer({ label, probabilities }: Prediction): Answer {
  if (typeof label !== 'number' || !Array.isArray(probabilities)) {
    throw new Error(`A prediction without label and probabilities: ${JSON.stringify({ label })}`)
  }
  const perDigit = probabilities.map(Number)
  return { label, confidence: perDigit[label] ?? Number.NaN, probabilities: perDigit }
}
