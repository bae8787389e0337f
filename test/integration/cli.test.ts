import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { dataPathsOf } from '../../src/platform/data-paths.ts'
import { runCli } from '../support/run-cli.ts'

const COMMANDS = ['up', 'env', 'deploy', 'invoke', 'list', 'describe', 'logs', 'delete', 'doctor']
const KEYS = { AWS_ACCESS_KEY_ID: 'AKIDSTUB', AWS_SECRET_ACCESS_KEY: 'stub-secret' }
const PROGRAM = join(import.meta.dirname, '../../src/cli/main.ts')

let folder: string
before(() => void (folder = mkdtempSync(join(tmpdir(), 'berth-cli-'))))
after(() => rmSync(folder, { recursive: true, force: true }))

describe('every command', () => {
  for (const command of COMMANDS) {
    test(`${command} --help shows examples and exit codes and ends with 0`, async () => {
      const { exitCode, stdout } = await runCli([command, '--help'])
      assert.equal(exitCode, 0)
      assert.match(stdout.split('Examples:')[1] ?? '', new RegExp(`berth ${command}`))
      assert.match(stdout, /Exit codes:\n {2}0 /)
    })
  }
})

test('model-server --help shows the flags it follows and those it refuses', async () => {
  const { exitCode, stdout } = await runCli(['model-server', '--help'])
  assert.equal(exitCode, 0)
  assert.match(
    stdout,
    /Examples:[^]*Flags[^]*\n {2}--http-port=8000\n[^]* refused:[^]* GPU support:\n/,
  )
})

describe('failures', () => {
  const cases = [
    { given: 'an unknown command', args: ['frobnicate'], exitCode: 2, says: /unknown command/ },
    { given: 'an unknown option', args: ['list', '--colour'], exitCode: 2, says: /unknown option/ },
    { given: 'an unknown shell', args: ['env', '--shell', 'tcsh'], exitCode: 2, says: /Allowed/ },
    { given: 'describe of nothing', args: ['describe'], exitCode: 2, says: /Name an endpoint/ },
    {
      given: 'a count that is none',
      args: ['logs', 'a', '--lines', '-3'],
      exitCode: 2,
      says: /whole number/,
    },
    {
      given: 'a limit that shows nothing',
      args: ['list', '--limit', '0'],
      exitCode: 2,
      says: /whole number from 1/,
    },
    {
      given: 'a stream of a target model',
      args: ['invoke', 'a', '--body', '1', '--target-model', 'b', '--stream'],
      exitCode: 2,
      says: /Leave --stream out/,
    },
    {
      given: 'no Berth on the data directory',
      args: ['list', '--data-dir', '/nonexistent/berth'],
      exitCode: 4,
      says: /No Berth is running.*\n.*berth up --data-dir \/nonexistent\/berth/,
    },
    {
      given: 'nobody at the URL',
      args: ['list', '--endpoint-url', 'http://127.0.0.1:10009'],
      exitCode: 4,
      says: /does not answer at 127\.0\.0\.1:10009 \(ECONNREFUSED\)/,
    },
    {
      given: 'nobody at the URL of an own route',
      args: ['describe', 'a', '--endpoint-url', 'http://127.0.0.1:10009'],
      exitCode: 4,
      says: /does not answer at 127\.0\.0\.1:10009/,
    },
    {
      given: 'a URL that is none',
      args: ['list', '--endpoint-url', 'localhost:7070'],
      exitCode: 2,
      says: /is not the URL of a Berth/,
    },
    {
      given: 'a model that is not there',
      args: ['deploy', './nothing.onnx', '--endpoint-url', 'http://127.0.0.1:10009'],
      exitCode: 2,
      says: /nothing\.onnx does not exist/,
    },
    {
      given: 'a body file that is not there',
      args: ['invoke', 'a', '--body', '@none.json', '--endpoint-url', 'http://127.0.0.1:10009'],
      exitCode: 2,
      says: /none\.json cannot be read \(ENOENT\)/,
    },
  ]
  for (const { given, args, exitCode, says } of cases) {
    test(`${given}: exit code ${exitCode} and a sentence`, async () => {
      const result = await runCli(args, { environment: KEYS })
      assert.equal(result.exitCode, exitCode, result.stderr)
      assert.match(result.stderr, says)
      assert.doesNotMatch(result.stderr, /\n {4}at /, 'a stack')
      assert.equal(result.stdout, '')
    })
  }

  test('up names every option that cannot be used, at once', async () => {
    const environment = { BERTH_GATEWAYS: 'many', BERTH_REGION: 'mars' }
    const { exitCode, stderr } = await runCli(['up', '--port', '-1'], { environment })
    assert.equal(exitCode, 2)
    for (const name of ['BERTH_GATEWAYS', 'BERTH_REGION', 'BERTH_PORT']) {
      assert.match(stderr, new RegExp(name))
    }
  })
})

describe('env', () => {
  const secret = `it's "$HOME" \\ \`x\``

  test('what it prints survives eval in sh, whatever the secret holds, and clears leftovers', async () => {
    const dataDir = createInstallation('http://127.0.0.1:7070', secret)
    const script = `eval "$("$NODE" "$PROGRAM" env --shell sh --data-dir "$DATA")"
      printf '%s|%s|%s|%s' "$AWS_ENDPOINT_URL" "$AWS_SECRET_ACCESS_KEY" "$AWS_REGION" "\${AWS_SESSION_TOKEN-unset}"`
    const { stdout } = await promisify(execFile)('sh', ['-c', script], {
      env: { NODE: process.execPath, PROGRAM, DATA: dataDir, AWS_SESSION_TOKEN: 'stale' },
    })
    assert.equal(stdout, `http://127.0.0.1:7070|${secret}|eu-west-3|unset`)
  })

  const lines = [
    { shell: 'fish', line: `set -gx AWS_SECRET_ACCESS_KEY 'it\\'s "$HOME" \\\\ \`x\`'` },
    { shell: 'powershell', line: `$env:AWS_SECRET_ACCESS_KEY = 'it''s "$HOME" \\ \`x\`'` },
    { shell: 'cmd', line: `set "AWS_SECRET_ACCESS_KEY=${secret}"` },
  ]
  for (const { shell, line } of lines) {
    test(`quotes for ${shell}`, async () => {
      const dataDir = createInstallation('http://127.0.0.1:7070', secret)
      const { stdout } = await runCli(['env', '--shell', shell, '--data-dir', dataDir])
      assert.ok(stdout.split('\n').includes(line), stdout)
    })
  }
})

describe('which Berth', () => {
  const flag = 'http://127.0.0.1:1001'
  const named = 'http://127.0.0.1:1002'
  const environment = 'http://127.0.0.1:1003'
  const standard = 'http://127.0.0.1:1004'
  const cases = [
    { given: 'everything', flags: ['url', 'dir'], env: ['aws', 'default'], url: flag },
    { given: 'a data directory and the environment', flags: ['dir'], env: ['aws'], url: named },
    {
      given: 'the environment and a default',
      flags: [],
      env: ['aws', 'default'],
      url: environment,
    },
    { given: 'only a default data directory', flags: [], env: ['default'], url: standard },
  ]
  for (const { given, flags, env, url } of cases) {
    test(`given ${given}: ${url}`, async () => {
      const result = await runCli(
        [
          'env',
          '--json',
          ...(flags.includes('url') ? ['--endpoint-url', flag] : []),
          ...(flags.includes('dir') ? ['--data-dir', createInstallation(named, 's')] : []),
        ],
        {
          environment: {
            ...(env.includes('aws') ? { ...KEYS, AWS_ENDPOINT_URL: environment } : {}),
            ...(env.includes('default')
              ? { BERTH_DATA_DIR: createInstallation(standard, 's') }
              : {}),
          },
        },
      )
      assert.equal(JSON.parse(result.stdout).AWS_ENDPOINT_URL, url)
    })
  }
})

describe('invoke', () => {
  let stub: Server
  let seen: { contentType: string | undefined; body: Buffer; authorization: string | undefined }
  let answer: (request: IncomingMessage, response: ServerResponse) => void

  before(async () => {
    const receive = async (request: IncomingMessage, response: ServerResponse) => {
      const { authorization } = request.headers
      const contentType = request.headers['content-type']
      seen = { contentType, body: await buffer(request), authorization }
      answer(request, response)
    }
    stub = createServer((request, response) => void receive(request, response))
    stub.listen(0, '127.0.0.1')
    await once(stub, 'listening')
  })
  after(() => stub.close())

  const invoke = (args: readonly string[], stdin?: Uint8Array) =>
    runCli(['invoke', 'digits', ...args], {
      environment: {
        ...KEYS,
        AWS_ENDPOINT_URL: `http://127.0.0.1:${(stub.address() as AddressInfo).port}`,
      },
      ...(stdin === undefined ? {} : { stdin }),
    })

  test('the bytes of the answer, and only they, go to stdout', async () => {
    const bytes = Buffer.from([0, 255, 10, 13, 128, 7])
    answer = (_request, response) => {
      const headers = {
        'content-type': 'application/x-npy',
        'x-amzn-invoked-production-variant': 'blue',
      }
      response.writeHead(200, headers).end(bytes)
    }
    const result = await invoke(['--body', '{"instances": [[1]]}'])
    assert.deepEqual(result.stdoutBytes, bytes)
    assert.match(result.stderr, /^blue {2}[\d.]+ ms {2}application\/x-npy\n$/)
    assert.match(seen.authorization ?? '', /^AWS4-HMAC-SHA256 Credential=AKIDSTUB\//)
  })

  const bodies = [
    { given: 'a JSON string', args: ['--body', '{"a":1}'], type: 'application/json' },
    { given: 'a row of numbers', args: ['--body', '1,2,3'], type: 'text/csv' },
    { given: 'a single number', args: ['--body', '5'], type: 'text/csv' },
    { given: 'a .jsonl file', args: ['--body', '@FILE.jsonl'], type: 'application/jsonlines' },
    { given: 'a .csv file', args: ['--body', '@FILE.csv'], type: 'text/csv' },
    { given: 'npy on standard input', args: [], type: 'application/x-npy' },
    { given: 'a type', args: ['--body', '1', '--content-type', 'a/b'], type: 'a/b' },
  ]
  for (const { given, args, type } of bodies) {
    test(`given ${given} the content type is ${type}`, async () => {
      answer = (_request, response) => response.writeHead(200).end()
      const extension = args[1]?.split('.')[1] ?? ''
      const file = join(folder, `body.${extension}`)
      writeFileSync(file, '1,2\n')
      const stdin = Buffer.from('\u0093NUMPY\u0001\u0000', 'latin1')
      await invoke(
        args.map((arg) => (arg.startsWith('@') ? `@${file}` : arg)),
        stdin,
      )
      assert.equal(seen.contentType, type)
      if (args.length === 0) assert.deepEqual(seen.body, stdin)
    })
  }

  const errors = [
    {
      given: 'a model error',
      status: 424,
      code: 'ModelError',
      members: { OriginalStatusCode: 400, OriginalMessage: '{"error":"3 features expected"}' },
      exitCode: 5,
      says: /The model answered 400: .*3 features expected/,
    },
    {
      given: 'an unknown endpoint',
      status: 400,
      code: 'ValidationError',
      members: { Message: 'Endpoint digits of account 000000000000 not found.' },
      exitCode: 3,
      says: /Endpoint digits of account 000000000000 not found\.\nberth list shows/,
    },
    {
      given: 'another installation',
      status: 403,
      code: 'UnrecognizedClientException',
      members: { message: 'The security token included in the request is invalid.' },
      exitCode: 1,
      says: /credentials of another installation/,
    },
  ]
  for (const { given, status, code, members, exitCode, says } of errors) {
    test(`${given}: exit code ${exitCode}, nothing on stdout`, async () => {
      answer = (_request, response) => {
        const headers = { 'content-type': 'application/json', 'x-amzn-errortype': code }
        response.writeHead(status, headers).end(JSON.stringify(members))
      }
      const result = await invoke(['--body', '1'])
      assert.equal(result.exitCode, exitCode, result.stderr)
      assert.match(result.stderr, says)
      assert.equal(result.stdout, '')
    })
  }
})

/** What a running Berth leaves in its data directory for its clients. */
function createInstallation(url: string, secretAccessKey: string): string {
  const paths = dataPathsOf(mkdtempSync(join(folder, 'data-')))
  mkdirSync(dirname(paths.platformRecord), { recursive: true })
  writeFileSync(paths.platformRecord, JSON.stringify({ url, controlPid: 1 }))
  const account = { accountId: '123456789012', region: 'eu-west-3' }
  const credentials = { accessKeyId: 'AKID', secretAccessKey, sessionKeyHex: '00', ...account }
  writeFileSync(paths.credentials, JSON.stringify(credentials))
  return paths.dataDir
}
