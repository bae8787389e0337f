/**
 * What the defaults of Hugging Face and PyTorch models ask their packages for. The packages are stand-ins of a few lines, for
 * the real ones are gigabytes: `scripts/try-torch.ts` serves real models with real packages, by hand.
 */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, suite, test } from 'node:test'

import { ensureModelPython } from '../support/model-python.ts'
import { PythonServer } from '../support/python-server.ts'

/** A pipeline that answers with what it was asked for. */
const TRANSFORMERS = `
from .pipelines import Pipeline
def pipeline(task, **choices):
    if task is None:
        raise RuntimeError("without a task transformers asks the hub")
    return Pipeline(task, sorted(choices))
`
const PIPELINES = `
class Pipeline:
    def __init__(self, task, choices):
        self.task, self.choices = task, choices
    def __call__(self, inputs, **parameters):
        if inputs == "fail":
            raise ValueError("the text is too long")
        if isinstance(inputs, bytes):
            inputs = inputs.decode()
        return [{"task": self.task, "choices": self.choices, "inputs": inputs, "parameters": parameters}]
`
const TORCH = `
class jit:
    def load(path, map_location):
        raise RuntimeError("PytorchStreamReader failed locating file constants.pkl: file not found")
`

const python = await ensureModelPython()
const packages = mkdtempSync(join(tmpdir(), 'berth-stand-ins-'))
after(() => rmSync(packages, { recursive: true }))
for (const [name, text] of Object.entries({
  'transformers/__init__.py': TRANSFORMERS,
  'transformers/pipelines/__init__.py': 'from .base import Pipeline\n',
  'transformers/pipelines/base.py': PIPELINES,
  'torch.py': TORCH,
})) {
  mkdirSync(dirname(join(packages, name)), { recursive: true })
  writeFileSync(join(packages, name), text)
}

function start(
  files: Readonly<Record<string, string>>,
  environment: Readonly<Record<string, string>> = {},
): PythonServer {
  const own = { PYTHONPATH: packages, SAGEMAKER_MODEL_SERVER_WORKERS: '1' }
  return new PythonServer({ python, files, environment: { ...own, ...environment } })
}

const configOf = (architecture: string) => ({
  'config.json': JSON.stringify({ architectures: [architecture] }),
})

suite('a Hugging Face folder without code', () => {
  test('bodies become the inputs and parameters of the pipeline of its architecture', async () => {
    await using server = start(configOf('BertForSequenceClassification'))
    await server.ready()
    const pair = { text: 'a', text_pair: 'b' }
    const cases = [
      [JSON.stringify({ inputs: 'x', parameters: { top_k: 2 } }), undefined, 'x', { top_k: 2 }],
      [JSON.stringify({ inputs: pair }), undefined, pair, {}],
      [JSON.stringify(pair), undefined, pair, {}],
      ['inputs\nx\n"y, z"\n', 'text/csv', ['x', 'y, z'], {}],
      ['question,context\nq,c\n', 'text/csv', [{ question: 'q', context: 'c' }], {}],
      ['plain', 'text/plain', 'plain', {}],
      ['sound', 'audio/wav', 'sound', {}],
    ] as const
    for (const [body, type = 'application/json', inputs, parameters] of cases) {
      const { status, text } = await server.ask(body, { type })
      const answer = { task: 'text-classification', choices: ['model'], inputs, parameters }
      assert.deepEqual([status, JSON.parse(text)], [200, [answer]], body)
    }
  })

  test('what it cannot take is a bad request, in its own words', async () => {
    await using server = start(configOf('BertForSequenceClassification'))
    await server.ready()
    const refused = [
      await server.ask('{"inputs": "fail"}'),
      await server.ask('[1]'),
      await server.ask('a,b\n1,2\n', { type: 'text/csv' }),
      await server.ask('x', { type: 'video/mp4' }),
    ]
    assert.deepEqual(
      refused.map(({ status, text }) => [status, text.split('\n')[0]?.slice(0, 40)]),
      [
        [400, 'the text is too long'],
        [400, 'The body must be {"inputs": …}, it is a '],
        [400, 'You need to provide the correct CSV with'],
        [400, 'Content type video/mp4 is not supported '],
      ],
    )
  })

  test('the task of HF_TASK, and CSV with the columns of the answer', async () => {
    await using server = start(configOf('BertModel'), { HF_TASK: 'feature-extraction' })
    await server.ready()
    const { text } = await server.ask('{"inputs": "x"}', { accept: 'text/csv' })
    assert.equal(text, "task,choices,inputs,parameters\r\nfeature-extraction,['model'],x,{}\r\n")
  })

  test('a task that cannot be told is asked for', async () => {
    await using server = start(configOf('BertModel'))
    await server.ended()
    assert.match(server.lastLine, /cannot be told from BertModel in its config\.json; set HF_TASK/)
  })
})

test('weights that are not TorchScript are refused with what to do', async () => {
  await using server = start({ 'model.pt': 'weights' })
  await server.ended()
  assert.match(server.lastLine, /Failed to load model\.pt\..*torchscript, or give a model_fn/)
})
