import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'

import type { PythonEnvironment } from '../../../scripts/python-env.ts'
import { awsEnvironment } from './client.ts'
import type { AwsClient, ClientTarget, Input, Outcome } from './client.ts'

/** boto3, in one Python process that is asked line by line. */
export function createBoto3Client(target: ClientTarget, { python }: PythonEnvironment): AwsClient {
  const driver = new LineDriver(python, 'driver.py', target)
  return {
    name: 'boto3',
    call: async (service, operation, input) => {
      const call = { service, method: snakeCase(operation), input }
      return parseReply(await driver.ask(JSON.stringify(call)))
    },
    close: async () => driver.close(),
  }
}

/** A Python program of this folder that answers each line with a line. */
class LineDriver {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #lines: AsyncIterator<string>

  constructor(python: string, program: string, target: ClientTarget) {
    this.#child = spawn(python, [join(import.meta.dirname, program)], {
      env: awsEnvironment(target),
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  async ask(line: string): Promise<string> {
    this.#child.stdin.write(`${line}\n`)
    const { value, done } = await this.#lines.next()
    if (done === true) throw new Error(`The driver ended instead of answering ${line}`)
    return value
  }

  close(): void {
    this.#child.stdin.end()
  }
}

function parseReply(line: string): Outcome {
  const reply = JSON.parse(line) as {
    output?: Readonly<Record<string, unknown>>
    error?: { code: string; message: string }
  }
  if (reply.error !== undefined) return { kind: 'error', ...reply.error }
  return { kind: 'output', output: reply.output ?? {} }
}

/** The AWS CLI, a process for each call, forked from one that has the CLI imported. */
export function createCliClient(target: ClientTarget, { python }: PythonEnvironment): AwsClient {
  const driver = new LineDriver(python, 'cli.py', target)
  return {
    name: 'cli',
    call: async (service, operation, input) => {
      const folder = await mkdtemp(join(tmpdir(), 'berth-cli-'))
      try {
        return await callCli({ driver, folder }, [service, kebabCase(operation)], input)
      } finally {
        await rm(folder, { recursive: true })
      }
    },
    close: async () => driver.close(),
  }
}

/** What `cli.py` answers. */
interface CliOutput {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

interface CliRun {
  readonly driver: LineDriver
  readonly folder: string
}

async function callCli(run: CliRun, command: readonly string[], input: Input): Promise<Outcome> {
  const { Body, ...members } = cliInput(input)
  const reply = join(run.folder, 'reply')
  const isInvocation = command[1] === 'invoke-endpoint'
  const args = [...command, '--output', 'json']
  if (isInvocation) {
    const body = join(run.folder, 'body')
    await writeFile(body, Buffer.from((Body as { base64: string }).base64, 'base64'))
    for (const [name, value] of Object.entries(members))
      args.push(`--${kebabCase(name)}`, String(value))
    args.push('--body', `fileb://${body}`, reply)
  } else {
    args.push('--cli-input-json', JSON.stringify(members))
  }
  const printed = JSON.parse(await run.driver.ask(JSON.stringify(args))) as CliOutput
  const { code, stdout, stderr } = printed
  if (code !== 0) return parseCliError(stderr)
  const output = stdout.trim() === '' ? {} : (JSON.parse(stdout) as Record<string, unknown>)
  if (isInvocation) output['Body'] = { base64: (await readFile(reply)).toString('base64') }
  return { kind: 'output', output: withEpochSeconds(output) as Record<string, unknown> }
}

function cliInput(input: Input): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(input).map(([name, value]) => [name, name === 'Body' ? value : cliValue(value)]),
  )
}

function cliValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(cliValue)
  if (typeof value !== 'object' || value === null) return value
  if ('epochSeconds' in value) return new Date(Number(value.epochSeconds) * 1000).toISOString()
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, cliValue(item)]))
}

// The CLI prints times as ISO 8601 with an offset.
function withEpochSeconds(value: unknown): unknown {
  if (typeof value === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]+([+-]\d\d:\d\d|Z)$/.test(value)) {
    return Date.parse(value) / 1000
  }
  if (Array.isArray(value)) return value.map(withEpochSeconds)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, withEpochSeconds(item)]),
  )
}

function parseCliError(stderr: string): Outcome {
  const match = /An error occurred \(([^)]+)\) when calling the \w+ operation[^:]*: ([\s\S]*)/.exec(
    stderr,
  )
  const [, code, message] = match ?? []
  if (code === undefined || message === undefined) {
    return { kind: 'error', code: 'ClientSide', message: stderr.trim() }
  }
  return { kind: 'error', code, message: message.trim() }
}

function snakeCase(operation: string): string {
  return kebabCase(operation).replaceAll('-', '_')
}

function kebabCase(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1-$2')
    .toLowerCase()
}
