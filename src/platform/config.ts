import { readFileSync } from 'node:fs'

import { OPTIONS } from './options.ts'
import type { Config, OptionName, OptionSpec } from './options.ts'

/** Text by option name, from a file, the environment or flags. */
export type OptionTexts = Readonly<Record<string, string | undefined>>

/** Options that cannot be used; `problems` names every one of them with value and expectation. */
export class ConfigError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.name = 'ConfigError'
    this.problems = problems
  }
}

/** The environment of this process. The only place that reads it. */
export function environment(): Readonly<Record<string, string | undefined>> {
  return process.env
}

/**
 * Options in force: defaults < file < environment < flags.
 *
 * @throws ConfigError with all problems at once, not only the first.
 */
export function parseConfig(layers: {
  readonly file: OptionTexts
  readonly environment: OptionTexts
  readonly flags: OptionTexts
}): Config {
  const problems: string[] = []
  problems.push(...unknownNames(layers.file, 'the config file'))
  problems.push(...unknownNames(layers.environment, 'the environment'))
  const values: Record<string, string | number> = {}
  for (const name of optionNames()) {
    const text = layers.flags[name] ?? layers.environment[name] ?? layers.file[name]
    const parsed = text === undefined ? OPTIONS[name].default : parseOption(name, text)
    if (typeof parsed === 'object') problems.push(parsed.problem)
    else values[name] = parsed
  }
  problems.push(...relationProblems(values))
  if (problems.length > 0) throw new ConfigError(problems)
  if (!isConfig(values)) throw new ConfigError(['An option has no value.'])
  return Object.freeze(values)
}

/**
 * Option texts of a JSON file: one object, option names as keys, numbers or strings as values.
 *
 * @throws ConfigError when it cannot be read or is not of that form.
 */
export function readConfigFile(path: string): OptionTexts {
  let parsed: unknown
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new ConfigError([`The config file ${path} cannot be read as JSON: ${why}`])
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new ConfigError([`The config file ${path} must hold one JSON object.`])
  }
  return Object.fromEntries(Object.entries(parsed).map(([name, value]) => [name, String(value)]))
}

/** The names of all options, in the order of the table. */
export function optionNames(): readonly OptionName[] {
  return Object.keys(OPTIONS).filter((name): name is OptionName => name in OPTIONS)
}

// Variables that begin with BERTH_ and are read by others: containers, the quickstart, tests.
const FOREIGN_PREFIXES = ['BERTH_ECHO_', 'BERTH_TEST_', 'BERTH_INSTALLER_']
const FOREIGN_NAMES = new Set(['BERTH_DEBUG', 'BERTH_INSTANCE_ID', 'BERTH_INSTALLATION'])

function unknownNames(texts: OptionTexts, where: string): string[] {
  return Object.keys(texts)
    .filter((name) => where !== 'the environment' || name.startsWith('BERTH_'))
    .filter((name) => !(name in OPTIONS) && !FOREIGN_NAMES.has(name))
    .filter((name) => !FOREIGN_PREFIXES.some((prefix) => name.startsWith(prefix)))
    .map((name) => `${name} in ${where} is not an option of Berth. See docs/reference/options.md.`)
}

function parseOption(name: OptionName, text: string): string | number | { problem: string } {
  const spec: OptionSpec = OPTIONS[name]
  switch (spec.kind) {
    case 'integer': {
      const value = /^-?\d+$/.test(text.trim()) ? Number(text) : Number.NaN
      if (value >= spec.min && value <= spec.max) return value
      const bounds = `a whole number from ${spec.min} to ${spec.max} (${spec.unit})`
      return { problem: `${name} is "${text}"; expected ${bounds}.` }
    }
    case 'text':
      if (spec.pattern.test(text)) return text
      return { problem: `${name} is "${text}"; expected ${spec.expected}.` }
    case 'choice':
      if (spec.choices.includes(text)) return text
      return { problem: `${name} is "${text}"; expected one of ${spec.choices.join(', ')}.` }
  }
}

function relationProblems(values: Readonly<Record<string, string | number>>): string[] {
  const invocation = values['BERTH_INVOCATION_TIMEOUT_MS']
  const stream = values['BERTH_STREAM_TIMEOUT_MS']
  if (typeof invocation === 'number' && typeof stream === 'number' && stream < invocation) {
    return [
      `BERTH_STREAM_TIMEOUT_MS is ${stream}; expected at least BERTH_INVOCATION_TIMEOUT_MS, which is ${invocation}.`,
    ]
  }
  return []
}

function isConfig(values: Readonly<Record<string, string | number>>): values is Config {
  return optionNames().every((name) => values[name] !== undefined)
}
