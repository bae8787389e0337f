import assert from 'node:assert/strict'

import type { Input, Outcome, ServiceName } from '../clients/client.ts'

/** One call and what must come of it. */
export interface Step {
  /** @defaultValue sagemaker */
  readonly service?: ServiceName
  readonly operation: string
  readonly input: Input
  /** Calls again until this holds, for what takes time. */
  readonly until?: (output: Output) => boolean
  /** Calls again while it ends with this error, for what comes back in its own time. */
  readonly whileCode?: string
  readonly expect: Expectation
}

/** Members of a reply as every client reports them: times in epoch seconds, bytes as `{ base64 }`. */
export type Output = Readonly<Record<string, unknown>>

/** The reply passes an assertion, or is this very error. */
export type Expectation =
  | { readonly output: (output: Output) => void }
  | { readonly code: string; readonly message: RegExp }

/** What a case may use: names of its own, and what was set up once. */
export interface CaseWorld {
  /** Prefix of every name the case makes; differs by client, so each client makes its own. */
  readonly prefix: string
  /** URL of a model archive in the S3 face, without a model. */
  readonly modelDataUrl: string
  /** URL of an archive with an ONNX model. */
  readonly onnxUrl: string
  /** An endpoint in service with two variants of berth/echo: `blue` (weight 1) and `green` (weight 0). */
  readonly liveEndpoint: string
  /** An endpoint in service with containers `clean` and `score`, which callers name. */
  readonly directEndpoint: string
  /** The same containers, one after the other. */
  readonly serialEndpoint: string
  /** Prefix of models `m1` and `m2`, which answer their numbers, and of `broken`, which is no archive. */
  readonly manyUrl: string
}

/** A named sequence of calls, run through every client. */
export interface Case {
  readonly name: string
  readonly steps: (world: CaseWorld) => readonly Step[]
  /** Clients that cannot make these calls, with the reason. */
  readonly notFor?: Readonly<Partial<Record<'javascript' | 'boto3' | 'cli', string>>>
}

/** Any reply that is not an error. */
export const succeeds: Expectation = { output: () => {} }

/** The reply holds at least these members. */
export function holds(expected: Output): Expectation {
  return { output: (output) => assert.partialDeepStrictEqual(output, expected) }
}

/** A failure of the control plane's own kind. */
export function refused(message: RegExp): Expectation {
  return { code: 'ValidationException', message }
}

/** @throws AssertionError naming what differs. */
export function assertOutcome(outcome: Outcome, expect: Expectation): void {
  if ('output' in expect) {
    if (outcome.kind === 'error') assert.fail(`${outcome.code}: ${outcome.message}`)
    expect.output(outcome.output)
    return
  }
  if (outcome.kind === 'output')
    assert.fail(`expected ${expect.code}, got ${JSON.stringify(outcome.output)}`)
  assert.equal(outcome.code, expect.code, outcome.message)
  assert.match(outcome.message, expect.message)
}

/** ARN as this installation makes it. */
export function arn(
  resource: 'model' | 'endpoint-config' | 'endpoint' | 'compilation-job',
  name: string,
): string {
  return `arn:aws:sagemaker:us-east-1:000000000000:${resource}/${name.toLowerCase()}`
}

/** A variant of an endpoint config with what is required. */
export function variant(modelName: string, more: Input = {}): Input {
  return {
    VariantName: 'AllTraffic',
    ModelName: modelName,
    InstanceType: 'ml.m5.large',
    InitialInstanceCount: 1,
    ...more,
  }
}

/** Creates a model of the contract-test image. */
export function createModel(name: string, more: Input = {}): Step {
  return {
    operation: 'CreateModel',
    input: {
      ModelName: name,
      ExecutionRoleArn: 'arn:aws:iam::000000000000:role/berth',
      PrimaryContainer: { Image: 'berth/echo' },
      ...more,
    },
    expect: holds({ ModelArn: arn('model', name) }),
  }
}

/** Creates a config with one variant of a model. */
export function createConfig(name: string, modelName: string, more: Input = {}): Step {
  return {
    operation: 'CreateEndpointConfig',
    input: { EndpointConfigName: name, ProductionVariants: [variant(modelName, more)] },
    expect: holds({ EndpointConfigArn: arn('endpoint-config', name) }),
  }
}

/** Waits until an endpoint has a status. */
export function reaches(endpointName: string, status: string): Step {
  return {
    operation: 'DescribeEndpoint',
    input: { EndpointName: endpointName },
    until: (output) => output['EndpointStatus'] === status || output['EndpointStatus'] === 'Failed',
    expect: holds({ EndpointStatus: status }),
  }
}
