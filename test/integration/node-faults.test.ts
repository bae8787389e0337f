import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { suite, test } from 'node:test'

import { EXIT_CODES } from '../../src/modelserver/start-failure.ts'
import { ImageServer } from '../support/image-server.ts'
import type { ImageServerOptions } from '../support/image-server.ts'
import { until } from '../support/until.ts'

/** Asked `{"do": …}`, it does it. */
const OBEDIENT = `
import { threadId } from 'node:worker_threads'
export async function predictFn({ do: what, lines }, model, { signal }) {
  console.log('does', what)
  if (what === 'sleep') await new Promise(() => setInterval(() => {}, 1000))
  if (what === 'obey') await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  if (what === 'spin') while (true);
  if (what === 'exit') process.exit(3)
  if (what === 'reject') { Promise.reject(new Error('nobody caught me')); await new Promise(() => {}) }
  if (what === 'later') { setTimeout(() => { throw new TypeError('out of the blue') }); await new Promise(() => {}) }
  if (what === 'eat') { const held = []; while (true) held.push({ text: 'x'.repeat(10) + held.length }) }
  if (what === 'print') { const line = 'p'.repeat(99); for (let i = 0; i < lines; i += 1) console.log(line) }
  return { thread: threadId }
}
`
const order = (what: string, more: object = {}): string => JSON.stringify({ do: what, ...more })

async function serve(environment: Readonly<Record<string, string>> = {}): Promise<ImageServer> {
  const files = { 'inference.mjs': OBEDIENT }
  const server = new ImageServer('berth/node', { files, environment })
  await server.ready()
  return server
}

suite('faults in a call', () => {
  const DEATHS = [
    { what: 'exit', text: /^\{"error":"The Node worker ended with exit code 3\."\}$/ },
    {
      what: 'reject',
      text: /died of an uncaught Error: nobody caught me at file:.+inference\.mjs:9/,
    },
    {
      what: 'later',
      text: /died of an uncaught TypeError: out of the blue at file:.+inference\.mjs:10/,
    },
    {
      what: 'eat',
      text: /ran out of memory: its heap may have 64 MB \(BERTH_NODE_HEAP_MB\)/,
      environment: { BERTH_NODE_HEAP_MB: '64' },
    },
  ]
  for (const { what, text, environment } of DEATHS) {
    test(`a thread that ends (${what}): its call fails, the others’ and the server go on`, async () => {
      await using server = await serve({ SAGEMAKER_MODEL_SERVER_WORKERS: '2', ...environment })
      await until('both threads', () => server.output.split('model loaded').length === 3)
      const leaving = new AbortController()
      const other = server.ask(order('obey'), { signal: leaving.signal })
      await until('the other call', () => server.output.includes('does obey'))
      const reply = await server.ask(order(what))
      assert.equal(reply.status, 500)
      assert.match(reply.text, text)
      assert.equal(await Promise.race([other, Promise.resolve('waits')]), 'waits')
      leaving.abort()
      await assert.rejects(other)
      assert.equal((await server.ask(order('say'))).status, 200)
    })
  }

  test('a thread that ends among many calls: each call runs once, and only the one that ended it fails', async () => {
    await using server = await serve({ SAGEMAKER_MODEL_SERVER_WORKERS: '2' })
    await until('both threads', () => server.output.split('model loaded').length === 3)
    const orders = Array.from({ length: 60 }, (_, at) => (at === 30 ? 'exit' : `say ${at}`))
    const replies = await Promise.all(orders.map((what) => server.ask(order(what))))
    assert.deepEqual(
      replies.map(({ status }) => status),
      orders.map((what) => (what === 'exit' ? 500 : 200)),
    )
    await until('the prints', () => server.output.split('does ').length > orders.length)
    const counts = orders.map((what) => server.output.split(`does ${what}\n`).length - 1)
    assert.deepEqual(
      counts,
      orders.map(() => 1),
    )
  })

  for (const what of ['sleep', 'spin']) {
    test(`a handler that is slower than SAGEMAKER_MODEL_SERVER_TIMEOUT (${what}): 500, and another thread`, async () => {
      await using server = await serve({ SAGEMAKER_MODEL_SERVER_TIMEOUT: '1' })
      const { status, text } = await server.ask(order(what))
      assert.equal(status, 500)
      assert.match(text, /did not answer within 1 s \(SAGEMAKER_MODEL_SERVER_TIMEOUT\)/)
      await until('an answer of another thread, in time', async () => {
        return (await server.ask(order('say'))).status === 200
      })
    })
  }

  test('a caller that leaves a handler that heeds its signal: the thread stays', async () => {
    await using server = await serve()
    const before = (await server.ask(order('say'))).text
    await leaveOnceBusy(server, 'obey')
    assert.equal((await server.ask(order('say'))).text, before)
  })

  test('a caller that leaves a handler that does not: another thread takes its place', async () => {
    await using server = await serve()
    const before = (await server.ask(order('say'))).text
    await leaveOnceBusy(server, 'spin')
    await until('the death of the thread', () => server.output.includes('Node worker died'))
    await server.ready()
    assert.notEqual((await server.ask(order('say'))).text, before)
  })

  test('100 MB of prints go to the log and hold nothing up', async () => {
    await using server = await serve()
    const reply = await server.ask(order('print', { lines: 1_000_000 }))
    assert.equal(reply.status, 200)
    await until('the prints', () => server.outputBytes > 100_000_000)
    assert.ok(peakBytes(server.pid) < 400_000_000, 'the model server holds none of it')
  })
})

suite('what cannot be loaded ends the server with the cause as its last line', () => {
  const CODE = 'code/inference.ts'
  const CASES: readonly (Partial<ImageServerOptions> & {
    readonly given: string
    readonly code?: string
    readonly line: RegExp
    readonly exitCode?: number
  })[] = [
    {
      given: 'modelFn throws',
      code: "export function modelFn(): never {\n  throw new Error('weights are gone')\n}\n",
      line: /^The model could not be loaded in code\/inference\.ts line 2 \(modelFn\): Error: weights are gone$/,
    },
    {
      given: 'a syntax error in TypeScript',
      code: 'const a: number = 1\nexport function f( { return a\n',
      line: /could not be loaded in code\/inference\.ts line 2: SyntaxError: Expected ',', got 'ident'$/,
    },
    {
      given: 'TypeScript that is more than types',
      code: '\nexport enum Colour { Red }\n',
      line: /in code\/inference\.ts line 2: SyntaxError: TypeScript enum is not supported in strip-only mode Node strips types and compiles nothing/,
    },
    {
      given: 'a syntax error in JavaScript that it imports',
      code: "import './lib/other.mjs'\n",
      files: { 'code/lib/other.mjs': 'export const a = 1\n\nconst b = ;\n' },
      line: /in code\/lib\/other\.mjs line 3: SyntaxError: Unexpected token ';'$/,
    },
    {
      given: 'an export that its module does not have',
      code: "import { nothing } from './other.ts'\n",
      files: { 'code/other.ts': 'export const a = 1\n' },
      line: /in code\/inference\.ts line 1: SyntaxError: The requested module '\.\/other\.ts' does not provide an export named 'nothing'$/,
    },
    {
      given: 'a package that is not installed',
      code: "import x from '@berth-test/no-such/deep'\n",
      line: /in code\/inference\.ts: Error: Cannot find package '@berth-test\/no-such' .+ Put @berth-test\/no-such into the dependencies of code\/package\.json\.$/,
    },
    {
      given: 'nothing of the contract is exported',
      code: 'export const predict = 1\n',
      line: /It exports predict; expected a default export from defineModel, or some of modelFn, /,
    },
    {
      given: 'transformFn beside predictFn',
      code: 'export const transformFn = () => 1\nexport const predictFn = () => 1\n',
      line: /Cannot use transformFn in conjunction with inputFn, predictFn, and\/or outputFn$/,
    },
    {
      given: 'process.exit() while it loads',
      code: 'process.exit(4)\n',
      line: /^The Node worker ended with exit code 4 while it loaded the model\.$/,
    },
    {
      given: 'a rejection that nobody handles while it loads',
      code: "void Promise.reject(new Error('unheard'))\nexport const modelFn = () => new Promise(() => {})\n",
      line: /^The Node worker died of an uncaught Error: unheard at file:.+inference\.ts:1:\d+ while it loaded the model\.$/,
    },
    {
      given: 'a signature that is none',
      code: "export default { [Symbol.for('berth.model')]: true, signature: { inputs: { x: { datatype: 'FLOAT' } } }, predict() {} }\n",
      line: /TypeError: signature\.inputs\.x\.datatype is FLOAT, not a datatype such as FP32\.$/,
    },
    {
      given: 'no user code',
      files: { 'readme.md': '' },
      line: /^There is no inference\.ts, \.js or \.mjs in code or the model folder, and no package\.json that names another file; found: readme\.md\.$/,
    },
    {
      given: 'a dependency that does not exist',
      code: '',
      files: { 'code/package.json': '{"dependencies": {"berth-no-such": "file:./nowhere.tgz"}}' },
      line: /^code\/package\.json cannot be installed: .*ENOENT/,
      exitCode: EXIT_CODES.environmentFailed,
    },
    {
      given: 'a package.json that is not JSON',
      code: '',
      files: { 'code/package.json': '{"dependencies": ' },
      line: /^code\/package\.json is not valid: /,
      exitCode: EXIT_CODES.environmentFailed,
    },
    {
      given: 'no npm',
      code: '',
      files: { 'code/package.json': '{"dependencies": {"berth-no-such": "file:./nowhere"}}' },
      environment: { PATH: '/nowhere' },
      line: /^code\/package\.json cannot be installed: there is no npm on the path\. Install npm, or pack node_modules with the model\.$/,
      exitCode: EXIT_CODES.environmentFailed,
    },
    {
      given: 'a heap out of bounds',
      code: '',
      environment: { BERTH_NODE_HEAP_MB: '1' },
      line: /^BERTH_NODE_HEAP_MB must be an integer from 16 to 65536, not 1$/,
      exitCode: EXIT_CODES.badOptions,
    },
  ]
  for (const { given, code, files, environment, line, exitCode } of CASES) {
    test(given, async () => {
      await using server = new ImageServer('berth/node', {
        files: { ...(code !== undefined && { [CODE]: code }), ...files },
        ...(environment !== undefined && { environment }),
      })
      assert.equal(await server.ended(), exitCode ?? EXIT_CODES.modelInvalid)
      assert.match(server.lastLine, line)
      assert.deepEqual(leftovers(server), [], 'no half-made packages')
    })
  }
})

test('a package that its registry does not have: exit code 26 with npm’s words', async () => {
  const registry = createServer((_request, response) => {
    response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":"not found"}')
  }).listen(0, '127.0.0.1')
  await once(registry, 'listening')
  const { port } = registry.address() as AddressInfo
  const files = {
    'code/inference.ts': '',
    'code/package.json': '{"dependencies": {"berth-no-such-package": "^1.0.0"}}',
    'code/.npmrc': `registry=http://127.0.0.1:${port}/\n`,
  }
  await using server = new ImageServer('berth/node', { files })
  assert.equal(await server.ended(), EXIT_CODES.environmentFailed)
  assert.match(
    server.lastLine,
    /^code\/package\.json cannot be installed: E404 \/ .*berth-no-such-package/,
  )
  assert.deepEqual(leftovers(server), [])
  registry.close()
})

async function leaveOnceBusy(server: ImageServer, what: string): Promise<void> {
  const leaving = new AbortController()
  const asked = server.ask(order(what), { signal: leaving.signal }).catch(() => undefined)
  await until('the call to run', () => server.output.includes(`does ${what}\n`))
  leaving.abort()
  await asked
}

function leftovers(server: ImageServer): readonly string[] {
  const folder = join(server.folder, 'environments')
  return readdirSync(server.folder).includes('environments')
    ? readdirSync(folder).filter((name) => name !== '.locks')
    : []
}

function peakBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024
}
