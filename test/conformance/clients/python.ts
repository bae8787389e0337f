import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

import type { PythonEnvironment } from '../../../scripts/python-env.ts'
import { awsEnvironment } from './client.ts'
import type { AwsClient, ClientTarget, Input, Outcome } from './client.ts'

/** boto3, in one Python process that is asked line by line. */
export function createBoto3Client(target: ClientTarget, { python }: PythonEnvironment): AwsClient {
  const driver = spawn(python, [join(import.meta.dirname, 'driver.py')], {
    env: awsEnvironment(target),
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: driver.stdout })[Symbol.asyncIterator]()
  return {
    name: 'boto3',
    call: async (service, operation, input) => {
      const call = { service, method: snakeCase(operation), input }
      driver.stdin.write(`${JSON.stringify(call)}\n`)
      const { value } = await lines.next()
      return parseReply(String(value))
    },
    close: async () => {
      driver.stdin.end()
    },
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

/** The AWS CLI, a process for each call. */
export function createCliClient(target: ClientTarget, { aws }: PythonEnvironment): AwsClient {
  return {
    name: 'cli',
    call: async (service, operation, input) => {
      const folder = await mkdtemp(join(tmpdir(), 'berth-cli-'))
      try {
        return await callCli({ aws, target, folder }, [service, kebabCase(operation)], input)
      } finally {
        await rm(folder, { recursive: true })
      }
    },
    close: async () => {},
  }
}

interface CliRun {
  readonly aws: string
  readonly target: ClientTarget
  readonly folder: string
}

async function callCli(run: CliRun, command: readonly string[], input: Input): Promise<Outcome> {
  const { Body, ...members } = cliInput(input)
  const reply = join(run.folder, 'reply')
  const isInvocation = command[1] === 'invoke-endpoint'
  const args = [...command, '--output', 'json', '--no-cli-pager'].filter(
    (arg) => arg !== '--no-cli-pager',
  )
  if (isInvocation) {
    const body = join(run.folder, 'body')
    await writeFile(body, Buffer.from((Body as { base64: string }).base64, 'base64'))
    for (const [name, value] of Object.entries(members))
      args.push(`--${kebabCase(name)}`, String(value))
    args.push('--body', `fileb://${body}`, reply)
  } else {
    args.push('--cli-input-json', JSON.stringify(members))
  }
  const { error, stdout, stderr } = await runFile(run.aws, args, awsEnvironment(run.target))
  if (error !== undefined) return parseCliError(stderr)
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

function runFile(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ error: Error | undefined; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(file, args, { env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) =>
      resolve({ error: error ?? undefined, stdout, stderr }),
    )
  })
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
