import assert from 'node:assert/strict'
import { cpSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, suite, test } from 'node:test'
import {
  exchange,
  type Exchange,
  type RecordedResponse,
} from '../../scripts/record-triton/exchange.ts'
import { maskResponse } from '../../scripts/record-triton/mask.ts'
import { ensureModelPython } from '../support/model-python.ts'
import { RECORDINGS, replayRecorded } from '../support/replay-recorded.ts'
import { startTriton } from '../support/triton-server.ts'
import { DIFFERENT_WITH_PYTHON } from './triton-recorded-differences.ts'

/** What Berth answers instead, and why. */
interface Difference {
  readonly why: string
  readonly says: RegExp
}

const WITHOUT_CURE = 'Berth says how the process died, too'
const NEWER = 'the recorded release does not have it yet'
const PREFIX = 'a refusal is named by its request, whichever step of the same check refuses it'

const PYTHON_DIFFERENCES: Readonly<Record<string, Difference>> = {
  'load exits': {
    why: WITHOUT_CURE,
    says: /'exits_0_0' is not healthy: it ended with exit code 3\./,
  },
  index: { why: WITHOUT_CURE, says: /"name":"exits","version":"1","state":"UNAVAILABLE"/ },
  'obeys: give_list': {
    why: "the words of Triton's binding to C++ are not those of Python",
    says: /TypeError: Tensor\(name: str, array: numpy\.ndarray\) got list/,
  },
  'obeys: give_parameters': {
    why: NEWER,
    says: /"parameters":\{"text":"x","whole":7,"truth":true\}/,
  },
  'obeys: give_bad_parameters': { why: NEWER, says: /Expect parameters keys to have type str/ },
  'obeys: give_mixed_objects': {
    why: 'JSON is UTF-8, so what is none is replaced',
    says: /"data":\["\ufffd","é","5","None"\]/,
  },
  'obeys: call_wrong_output': { why: PREFIX, says: /unexpected inference output 'NOSUCH'/ },
  'obeys: call_wrong_input': { why: PREFIX, says: /unexpected inference input 'NOSUCH'/ },
}

process.env['BERTH_PYTHON'] = await ensureModelPython()

suite('as tritonserver does with the Python backend', async () => {
  const repository = join(RECORDINGS, 'python-repository')
  const server = await startTriton(repository, ['--model-control-mode=explicit'])
  after(() => server.stop())
  for (const recorded of load('python-recorded.json')) {
    test(recorded.name, async () => {
      const answered = await exchange(server.httpPort, recorded.request)
      compare(recorded, answered, repository, PYTHON_DIFFERENCES[recorded.name])
    })
  }
})

suite("as tritonserver with the recorded protocol's models, all that it was asked", () => {
  for (const [file, traceFlags, notAsked] of [
    // Of three of them tritonserver died.
    ['recorded.json', [], 3],
    ['protocol.json', ['level=OFF', 'triton,file=<dir>/trace.json'], 0],
  ] as const) {
    test(file, async () => {
      const replay = { file, traceFlags, without: [], different: DIFFERENT_WITH_PYTHON }
      const writeModels = (to: string): void =>
        cpSync(join(RECORDINGS, 'repository'), to, { recursive: true })
      assert.equal(await replayRecorded({ ...replay, writeModels }), notAsked)
    })
  }
})

function load(file: string): readonly Exchange[] {
  const parsed = JSON.parse(readFileSync(join(RECORDINGS, file), 'utf8')) as {
    readonly exchanges: readonly (Exchange | { readonly crashed: true })[]
  }
  return parsed.exchanges.flatMap((one) => ('crashed' in one ? [] : one))
}

function compare(
  { response }: Exchange,
  answered: RecordedResponse,
  directory: string,
  difference: Difference | undefined,
): void {
  const actual = normalise(answered, directory)
  const expected = normalise(response, '<dir>/python-repository')
  if (difference !== undefined) {
    assert.match(JSON.stringify(actual.body), difference.says)
    assert.notDeepEqual(actual, expected, 'it is the same: the difference is none')
  } else assert.deepEqual(actual, expected)
}

// How numbers and texts are spelt in JSON is the business of the codec's own test.
function normalise(response: RecordedResponse, directory: string) {
  const { status, headers, body } = maskResponse(response, directory)
  const text = ('text' in body ? body.text : body.base64).replaceAll(directory, '<dir>')
  return { status, coding: headers['content-encoding'], body: parse(text) }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
