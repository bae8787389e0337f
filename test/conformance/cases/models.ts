import assert from 'node:assert/strict'

import { arn, createModel, holds, refused, succeeds } from './case.ts'
import type { Case } from './case.ts'

const ROLE = 'arn:aws:iam::000000000000:role/berth'

/** Models, their lists and their tags. */
export const modelCases: readonly Case[] = [
  {
    name: 'a model is described as it was created, its ARN in lower case',
    steps: ({ prefix, modelDataUrl }) => [
      createModel(`${prefix}-M1`, {
        PrimaryContainer: {
          Image: 'berth/onnx',
          ModelDataUrl: modelDataUrl,
          Environment: { A: '1', EMPTY: '' },
        },
        Tags: [{ Key: 'team', Value: 'harbour' }],
      }),
      {
        operation: 'DescribeModel',
        input: { ModelName: `${prefix}-M1` },
        expect: holds({
          ModelName: `${prefix}-M1`,
          ModelArn: arn('model', `${prefix}-M1`),
          ExecutionRoleArn: ROLE,
          PrimaryContainer: {
            Image: 'berth/onnx',
            ModelDataUrl: modelDataUrl,
            Environment: { A: '1', EMPTY: '' },
          },
        }),
      },
      {
        operation: 'ListTags',
        input: { ResourceArn: arn('model', `${prefix}-M1`) },
        expect: holds({ Tags: [{ Key: 'team', Value: 'harbour' }] }),
      },
    ],
  },
  {
    name: 'a model name is taken once, whatever its case',
    steps: ({ prefix }) => [
      createModel(`${prefix}-dup`),
      {
        ...createModel(`${prefix}-DUP`),
        expect: refused(/^Cannot create already existing model "arn:aws:sagemaker:.*-dup"\.$/),
      },
    ],
  },
  {
    name: 'a deleted model is gone and its name is free',
    steps: ({ prefix }) => [
      createModel(`${prefix}-gone`),
      { operation: 'DeleteModel', input: { ModelName: `${prefix}-gone` }, expect: succeeds },
      {
        operation: 'DescribeModel',
        input: { ModelName: `${prefix}-gone` },
        expect: refused(/^Could not find model "arn:aws:sagemaker:.*:model\/.*-gone"\.$/),
      },
      createModel(`${prefix}-gone`),
    ],
  },
  {
    name: 'every broken constraint of a model is reported in one message',
    steps: ({ prefix }) => [
      {
        operation: 'CreateModel',
        input: {
          ModelName: `${prefix}_bad name`,
          ExecutionRoleArn: 'arn:aws:iam::000000000000:role/berth',
          PrimaryContainer: { Image: 'berth/echo', Mode: 'TripleModel' },
        },
        expect: refused(
          /^2 validation errors detected: (?=.*at 'modelName' failed to satisfy constraint: Member must satisfy regular expression pattern: )(?=.*Value 'TripleModel' at 'primaryContainer\.mode' failed to satisfy constraint: Member must satisfy enum value set: \[)/,
        ),
      },
    ],
  },
  {
    name: 'a model needs exactly one of PrimaryContainer and Containers',
    steps: ({ prefix }) => [
      {
        operation: 'CreateModel',
        input: { ModelName: `${prefix}-none`, ExecutionRoleArn: ROLE },
        expect: refused(/Containers/),
      },
    ],
  },
  {
    name: 'an image nobody has, and model data nobody uploaded, are refused at once',
    steps: ({ prefix, modelDataUrl }) => [
      {
        ...createModel(`${prefix}-img`, { PrimaryContainer: { Image: 'nobody/nothing:1' } }),
        expect: refused(/^Requested image nobody\/nothing:1 not found\./),
      },
      {
        ...createModel(`${prefix}-data`, {
          PrimaryContainer: { Image: 'berth/onnx', ModelDataUrl: `${modelDataUrl}.missing` },
        }),
        expect: refused(/^Could not find model data at s3:\/\//),
      },
    ],
  },
  {
    name: 'lists are filtered, sorted and paged without loss or repetition',
    steps: ({ prefix }) => [
      ...['a', 'b', 'c', 'd', 'e'].map((name) => createModel(`${prefix}-pg-${name}`)),
      {
        operation: 'ListModels',
        input: {
          NameContains: `${prefix}-PG-`,
          SortBy: 'Name',
          SortOrder: 'Ascending',
          MaxResults: 3,
        },
        expect: {
          // The CLI follows the pages to the end, the others show the first one.
          output: ({ Models }) => {
            const all = ['a', 'b', 'c', 'd', 'e'].map((n) => `${prefix}-pg-${n}`)
            const got = names(Models, 'ModelName')
            assert.ok(got.length === 3 || got.length === 5, `${got.length} models`)
            assert.deepEqual(got, all.slice(0, got.length))
          },
        },
      },
      {
        operation: 'ListModels',
        input: { NameContains: `${prefix}-pg-`, MaxResults: 100 },
        expect: {
          output: ({ Models }) =>
            assert.deepEqual(
              names(Models, 'ModelName'),
              ['e', 'd', 'c', 'b', 'a'].map((n) => `${prefix}-pg-${n}`),
            ),
        },
      },
      {
        operation: 'ListModels',
        input: {
          NameContains: `${prefix}-pg-`,
          CreationTimeAfter: { epochSeconds: 4_000_000_000 },
        },
        expect: holds({ Models: [] }),
      },
    ],
  },
  {
    name: 'a page size out of range and a forged token are refused',
    steps: () => [
      {
        operation: 'ListModels',
        input: { MaxResults: 101 },
        expect: refused(
          /Value '101' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 100/,
        ),
      },
      {
        operation: 'ListModels',
        input: { NextToken: 'bm90IGEgdG9rZW4' },
        expect: refused(/^Invalid pagination token because /),
      },
    ],
    notFor: { cli: 'it keeps MaxResults and NextToken for its own paging' },
  },
  {
    name: 'tags are added, replaced, listed and removed',
    steps: ({ prefix }) => [
      createModel(`${prefix}-tags`),
      {
        operation: 'AddTags',
        input: {
          ResourceArn: arn('model', `${prefix}-tags`),
          Tags: [
            { Key: 'a', Value: '1' },
            { Key: 'b', Value: '' },
          ],
        },
        expect: succeeds,
      },
      {
        operation: 'AddTags',
        input: { ResourceArn: arn('model', `${prefix}-tags`), Tags: [{ Key: 'a', Value: '2' }] },
        expect: succeeds,
      },
      {
        operation: 'DeleteTags',
        input: { ResourceArn: arn('model', `${prefix}-tags`), TagKeys: ['b', 'never-there'] },
        expect: succeeds,
      },
      {
        operation: 'ListTags',
        input: { ResourceArn: arn('model', `${prefix}-tags`) },
        expect: holds({ Tags: [{ Key: 'a', Value: '2' }] }),
      },
      {
        operation: 'AddTags',
        input: {
          ResourceArn: arn('model', `${prefix}-tags`),
          Tags: [{ Key: 'aws:x', Value: '1' }],
        },
        expect: refused(/aws:/),
      },
    ],
  },
]

function names(items: unknown, key: string): readonly unknown[] {
  return (items as readonly Readonly<Record<string, unknown>>[]).map((item) => item[key])
}
