import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { OipError } from './errors.ts'
import { parseModelConfigText } from './model-config-codec.ts'
import { finishModelConfig, prepareModelConfig } from './model-config-prepare.ts'
import type { ModelConfig } from './model-config.ts'

interface RecordedConfig {
  readonly name: string
  readonly model: string
  readonly text: string
  /** The reply to the load. */
  readonly error?: string
  /** Why the text is none, or what is wrong with it. */
  readonly syntaxError?: string
  readonly pollError?: string
  readonly config?: unknown
}

// What tritonserver 2.51 did with each: scripts/record-triton.ts.
const FILE = resolve(import.meta.dirname, '../../../test/fixtures/triton/configs.json')
const configs = JSON.parse(readFileSync(FILE, 'utf8')) as readonly RecordedConfig[]

// Texts that Berth judges otherwise, each for its reason.
const DIFFERENT: Readonly<Record<string, string>> = {
  'surrogate escapes': 'refused: write the character itself',
  'escape beyond Unicode': 'refused: there is no such character',
  'string of no UTF-8': 'refused: a string of protobuf is UTF-8',
  'byte order mark': 'ignored, as editors on Windows write it',
  floats: 'model_metrics came with a later release',
  'float of two points': 'model_metrics came with a later release',
  'float octal': 'model_metrics came with a later release',
  metrics: 'model_metrics came with a later release',
  'octal escape of one digit': 'tritonserver prints the control character as it is',
}

// What is beyond a configuration: files, versions, other models.
const BEYOND =
  /^unable to find 'libtritonrepoagent|^unable to find backend library|at least one version must be|ensemble tensor \w+ is mapp|contains models that are not|whose required version/

for (const recorded of configs) {
  if (recorded.name in DIFFERENT) continue
  test(`as tritonserver: ${recorded.name}`, () => {
    const result = load(recorded)
    if (recorded.syntaxError !== undefined) {
      assert.ok(typeof result === 'string', 'the text is refused')
      // Where the parser says what tritonserver says, it says so of the same line.
      const line = recorded.syntaxError.split(':')[0]
      assert.match(result, new RegExp(`\\(line ${line}\\)$`))
      return
    }
    if (recorded.config !== undefined) {
      assert.equal(typeof result === 'string' ? result : undefined, undefined)
      const [actual, expected] = [comparable(result), comparable(recorded.config)]
      assert.deepEqual(actual, expected)
      assert.deepEqual(keysOf(actual), keysOf(expected))
      return
    }
    const expected = recorded.pollError ?? afterState(recorded.error ?? '')
    if (BEYOND.test(expected)) assert.notEqual(typeof result, 'string')
    else assert.equal(result, expected)
  })
}

function load({ text, model }: RecordedConfig): ModelConfig | string {
  try {
    const config = parseModelConfigText(text)
    return finishModelConfig(
      prepareModelConfig(config, { directory: model, detectedBackend: 'python' }),
    )
  } catch (error) {
    assert.ok(error instanceof OipError, String(error))
    return error.message
  }
}

/** `load failed …: Invalid argument: why;` → why */
function afterState(error: string): string {
  return error
    .replace(/^load failed for model '\w+': /, '')
    .replace(/^version 1 is at UNAVAILABLE state: \w+(?: \w+)?: /, '')
    .replace(/;?\n$/, '')
}

// tritonserver names the group that it adds itself otherwise than those that are written down, prints maps in the order
// of a hash, and did not know `max_inflight_requests` yet.
function comparable(value: unknown): unknown {
  const config = value as ModelConfig
  const { ensemble_scheduling: ensemble, parameters } = config
  return {
    ...config,
    instance_group: config.instance_group.map(({ name: _name, ...group }) => group),
    parameters: Object.fromEntries(
      Object.entries(parameters).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    ),
    ...(ensemble && { ensemble_scheduling: { step: ensemble.step } }),
  }
}

function keysOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  if (Array.isArray(value)) return value.map(keysOf)
  return Object.entries(value).map(([key, member]) => [key, keysOf(member)])
}
