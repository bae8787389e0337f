import assert from 'node:assert/strict'

import { arn, holds, refused, succeeds } from './case.ts'
import type { Case, Step } from './case.ts'
import type { Input } from '../clients/client.ts'

const ROLE = 'arn:aws:iam::000000000000:role/berth'
const PLATFORM = { Os: 'LINUX', Arch: process.arch === 'arm64' ? 'ARM64' : 'X86_64' }
const OVER = new Set<unknown>(['COMPLETED', 'FAILED', 'STOPPED'])

function input(name: string, url: string, more: Input = {}): Input {
  return {
    CompilationJobName: name,
    RoleArn: ROLE,
    InputConfig: { S3Uri: url, Framework: 'ONNX' },
    OutputConfig: { S3OutputLocation: 's3://conformance/compiled', TargetPlatform: PLATFORM },
    StoppingCondition: { MaxRuntimeInSeconds: 900 },
    ...more,
  }
}

function create(name: string, url: string, more: Input = {}): Step {
  return {
    operation: 'CreateCompilationJob',
    input: input(name, url, more),
    expect: holds({ CompilationJobArn: arn('compilation-job', name) }),
  }
}

function ends(name: string, status: string): Step {
  return {
    operation: 'DescribeCompilationJob',
    input: { CompilationJobName: name },
    until: (output) => OVER.has(output['CompilationJobStatus']),
    expect: holds({ CompilationJobStatus: status }),
  }
}

/** Compilation jobs. */
export const compilationCases: readonly Case[] = [
  {
    name: 'a compilation job ends with an archive that a model can be created from',
    steps: ({ prefix, onnxUrl }) => {
      const name = `${prefix}-C1`
      const archive = `s3://conformance/compiled/digits-LINUX_${PLATFORM.Arch}.tar.gz`
      const OutputConfig = {
        S3OutputLocation: 's3://conformance/compiled',
        TargetPlatform: PLATFORM,
        CompilerOptions: '{"quantization": "int8-dynamic", "tolerance": 0.1}',
      }
      return [
        create(name, onnxUrl, { OutputConfig, Tags: [{ Key: 'team', Value: 'harbour' }] }),
        {
          ...ends(name, 'COMPLETED'),
          expect: holds({
            CompilationJobName: name,
            CompilationJobArn: arn('compilation-job', name),
            CompilationJobStatus: 'COMPLETED',
            FailureReason: '',
            InferenceImage: 'berth/onnx',
            ModelArtifacts: { S3ModelArtifacts: archive },
            InputConfig: { S3Uri: onnxUrl, Framework: 'ONNX' },
            OutputConfig,
            RoleArn: ROLE,
            StoppingCondition: { MaxRuntimeInSeconds: 900 },
          }),
        },
        {
          operation: 'ListTags',
          input: { ResourceArn: arn('compilation-job', name) },
          expect: holds({ Tags: [{ Key: 'team', Value: 'harbour' }] }),
        },
        {
          operation: 'CreateModel',
          input: {
            ModelName: name,
            ExecutionRoleArn: ROLE,
            PrimaryContainer: { Image: 'berth/onnx', ModelDataUrl: archive },
          },
          expect: succeeds,
        },
        {
          operation: 'DeleteCompilationJob',
          input: { CompilationJobName: name },
          expect: succeeds,
        },
        {
          operation: 'DescribeCompilationJob',
          input: { CompilationJobName: name },
          expect: { code: 'ResourceNotFound', message: /^Could not find compilation job "arn:/ },
        },
      ]
    },
  },
  {
    name: 'a framework that is not compiled here makes a job that fails, with the reason',
    steps: ({ prefix, onnxUrl }) => [
      create(`${prefix}-c2`, onnxUrl, {
        InputConfig: {
          S3Uri: onnxUrl,
          Framework: 'TENSORFLOW',
          FrameworkVersion: '2.9',
          DataInputConfig: "{'input': [1, 64]}",
        },
      }),
      {
        ...ends(`${prefix}-c2`, 'FAILED'),
        expect: {
          output: ({ FailureReason }) =>
            assert.match(String(FailureReason), /^ClientError: InputConfiguration: /),
        },
      },
    ],
  },
  {
    name: 'the name of a compilation job is taken once',
    steps: ({ prefix, onnxUrl }) => [
      create(`${prefix}-c3`, onnxUrl),
      {
        ...create(`${prefix}-C3`, onnxUrl),
        expect: { code: 'ResourceInUse', message: /already existing compilation job/ },
      },
    ],
  },
  {
    name: 'a compilation job that is over cannot be stopped',
    steps: ({ prefix, onnxUrl }) => [
      create(`${prefix}-c4`, onnxUrl),
      ends(`${prefix}-c4`, 'COMPLETED'),
      {
        operation: 'StopCompilationJob',
        input: { CompilationJobName: `${prefix}-c4` },
        expect: refused(/^Cannot stop compilation job "arn:.*": it is COMPLETED\.$/),
      },
    ],
  },
  {
    name: 'unknown options of the compiler are refused',
    steps: ({ prefix, onnxUrl }) => [
      {
        ...create(`${prefix}-c5`, onnxUrl, {
          OutputConfig: {
            S3OutputLocation: 's3://conformance/compiled',
            TargetPlatform: PLATFORM,
            CompilerOptions: '{"num_cores": 2}',
          },
        }),
        expect: refused(/has no option "num_cores"\. Options: quantization, /),
      },
    ],
  },
  {
    name: 'compilation jobs are listed, the oldest first',
    steps: ({ prefix, onnxUrl }) => [
      ...['c', 'a', 'b'].map((name) => create(`${prefix}-cl-${name}`, onnxUrl)),
      ...['c', 'a', 'b'].map((name) => ends(`${prefix}-cl-${name}`, 'COMPLETED')),
      {
        operation: 'ListCompilationJobs',
        input: { NameContains: `${prefix}-cl-`, StatusEquals: 'COMPLETED' },
        expect: {
          output: ({ CompilationJobSummaries }) => {
            const jobs = CompilationJobSummaries as readonly Record<string, unknown>[]
            assert.deepEqual(
              jobs.map((job) => job['CompilationJobName']),
              ['c', 'a', 'b'].map((name) => `${prefix}-cl-${name}`),
            )
            assert.equal(jobs[0]?.['CompilationTargetPlatformOs'], 'LINUX')
          },
        },
      },
    ],
  },
]
