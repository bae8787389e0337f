/**
 * `npm run docs`: writes the reference pages that come from tables in the code.
 * `npm run docs -- --verify`: writes nothing and exits 1 when a page differs from what would be written.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { EXIT_CODES } from '../src/cli/exit-codes.ts'
import { createProgram } from '../src/cli/program.ts'
import { createTerminal } from '../src/cli/terminal/terminal.ts'
import { ERRORS } from '../src/domain/errors.ts'
import { OPTIONS } from '../src/platform/options.ts'
import type { OptionSpec } from '../src/platform/options.ts'
import { offerAll } from '../src/wire/graph/choose-kind.ts'
import { createGraphSchema } from '../src/wire/graph/graph-schema.ts'
import { graphJsonSchema } from '../src/wire/graph/parse-graph.ts'

const FOLDER = join(import.meta.dirname, '../docs/reference')

const PAGES: Readonly<Record<string, () => string>> = {
  'errors.md': errorsPage,
  'options.md': optionsPage,
  'cli.md': cliPage,
  'graph.schema.json': graphSchema,
}

const isVerifying = process.argv.includes('--verify')
const different = Object.entries(PAGES).filter(([name, page]) => !isSame(name, page()))
if (isVerifying) {
  for (const [name] of different)
    console.error(`docs/reference/${name} is out of date: npm run docs`)
  process.exitCode = different.length === 0 ? 0 : 1
} else {
  mkdirSync(FOLDER, { recursive: true })
  for (const [name, page] of different) {
    writeFileSync(join(FOLDER, name), page())
    console.log(`docs/reference/${name} written`)
  }
}

function isSame(name: string, text: string): boolean {
  try {
    return readFileSync(join(FOLDER, name), 'utf8') === text
  } catch {
    return false
  }
}

function graphSchema(): string {
  const schema = graphJsonSchema(createGraphSchema(offerAll))
  return `${JSON.stringify({ title: 'A graph of models for berth/graph', ...schema }, null, 1)}\n`
}

function errorsPage(): string {
  const rows = Object.entries(ERRORS).map(([code, spec]) => [
    `\`${code}\``,
    String(spec.httpStatus),
    spec.fault,
    spec.retryable ? 'yes' : 'no',
    spec.meaning,
    spec.advice,
  ])
  return page('Errors', 'src/domain/errors.ts', [
    'Every error Berth can return. *Status* is that of REST calls (invocations, S3); the JSON control plane answers',
    '400 for every fault of the client, whatever the code. *Fault* says who should look: the client, the model or the',
    'platform. *Retry* says whether the same call may succeed later without a change.',
    '',
    table(['Code', 'Status', 'Fault', 'Retry', 'When', 'What to do'], rows),
  ])
}

function optionsPage(): string {
  const rows = Object.entries(OPTIONS).map(([name, spec]) => [
    `\`${name}\``,
    `\`${spec.default}\``,
    allowedValues(spec),
    spec.doc,
  ])
  return page('Options', 'src/platform/options.ts', [
    'Options of `berth up`. Defaults < file (`--config FILE`: one JSON object with these names) < environment < flags',
    '(`--host`, `--port`, `--data-dir`). All problems are reported at once, and Berth does not start with one.',
    '',
    table(['Option', 'Default', 'Values', 'Meaning'], rows),
  ])
}

function allowedValues(spec: OptionSpec): string {
  switch (spec.kind) {
    case 'integer':
      return `${spec.min} to ${spec.max} (${spec.unit})`
    case 'text':
      return spec.expected
    case 'choice':
      return spec.choices.map((choice) => `\`${choice}\``).join(', ')
  }
}

function cliPage(): string {
  const program = createProgram({ terminal: createTerminal(), end: () => undefined })
  const exitRows = Object.values(EXIT_CODES).map(({ code, meaning }) => [String(code), meaning])
  const all = program.commands.flatMap(withSubcommands)
  const commands = all.flatMap(({ name, command }) => [
    `## berth ${name}`,
    '',
    '```text',
    helpOf(command),
    '```',
    '',
  ])
  return page('Command line', 'src/cli/program.ts', [
    'Results go to standard output, everything else to standard error. `--json` prints for machines. Colours appear on',
    'a terminal only, and never with `NO_COLOR` set. `BERTH_DEBUG=1` adds stacks to failures.',
    '',
    '## Which Berth',
    '',
    'Commands of a running Berth look for it in this order: `--endpoint-url`; the Berth of `--data-dir`; the',
    'environment (`AWS_ENDPOINT_URL_SAGEMAKER` or `AWS_ENDPOINT_URL`, with `AWS_ACCESS_KEY_ID`,',
    '`AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` and `AWS_REGION`); the Berth of `BERTH_DATA_DIR` or `~/.berth`.',
    '',
    '## Exit codes',
    '',
    table(['Code', 'Meaning'], exitRows),
    '',
    ...commands,
  ])
}

/** A command, or those that it has in its place. */
function withSubcommands(command: Command): readonly { name: string; command: Command }[] {
  if (command.commands.length === 0) return [{ name: command.name(), command }]
  return command.commands.map((each) => {
    return { name: `${command.name()} ${each.name()}`, command: each }
  })
}

/** Help as the command prints it, without the exit codes, which the page has once. */
function helpOf(command: Command): string {
  let text = ''
  command.configureOutput({ writeOut: (part) => void (text += part), getOutHasColors: () => false })
  command.outputHelp()
  return text.split('\nExit codes:')[0]?.trim() ?? ''
}

function page(title: string, source: string, lines: readonly string[]): string {
  const head = [
    `<!-- Written by npm run docs from ${source}: change that. -->`,
    '',
    `# ${title}`,
    '',
  ]
  return `${[...head, ...lines].join('\n').trimEnd()}\n`
}

function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`
  return [line(headings), line(headings.map(() => '---')), ...rows.map(line)].join('\n')
}
