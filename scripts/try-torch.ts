/**
 * `node scripts/try-torch.ts PYTHON`: serves small PyTorch and transformers models with `berth/python` and compares what it
 * answers with what Python answers itself. By hand, because CI would have to fetch gigabytes: PYTHON has numpy, torch,
 * transformers and pillow, from wherever; nothing is installed and no hub is asked.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { isDeepStrictEqual, promisify } from 'node:util'
import { PythonServer } from '../test/support/python-server.ts'

interface Case {
  readonly folder: string
  readonly task: string | null
  /** Hexadecimal. */
  readonly body: string
  readonly type: string
  readonly accept: string
  /** Null: it is to be refused with status 400. */
  readonly expected: unknown
}

interface Made {
  readonly torch: string
  readonly transformers: string
  readonly numpy: string
  readonly cases: readonly Case[]
}

const OUTPUT_BYTES_MAX = 64 * 1024 * 1024

const [python] = process.argv.slice(2)
if (python === undefined) {
  console.error('Usage: node scripts/try-torch.ts PYTHON')
  process.exit(2)
}
const folder = mkdtempSync(join(tmpdir(), 'berth-torch-'))
try {
  const made = await make(python)
  console.log(`torch ${made.torch}, transformers ${made.transformers}, numpy ${made.numpy}`)
  for (const cases of Map.groupBy(made.cases, ({ folder: name }) => name).values()) {
    await serve(python, cases)
  }
  await refuseWeights(python)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function make(program: string): Promise<Made> {
  const args = [join(import.meta.dirname, 'try-torch.py'), join(folder)]
  const { stdout } = await promisify(execFile)(program, args, { maxBuffer: OUTPUT_BYTES_MAX })
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Made
}

async function serve(program: string, cases: readonly Case[]): Promise<void> {
  const [{ folder: name, task } = { folder: '', task: null }] = cases
  const environment = {
    SAGEMAKER_MODEL_SERVER_WORKERS: '1',
    ...(task !== null && { HF_TASK: task }),
  }
  const files = filesOf(join(folder, name))
  await using server = new PythonServer({ python: program, files, environment })
  await server.ready()
  for (const { body, type, accept, expected } of cases) {
    const { status, text } = await server.ask(Buffer.from(body, 'hex'), { type, accept })
    const isRight =
      expected === null ? status === 400 : status === 200 && isClose(read(text, accept), expected)
    report(`${name}: ${type} → ${accept}`, isRight, `${status} ${text}`)
  }
}

/** Weights without their class cannot be served, and the message says what to do. */
async function refuseWeights(program: string): Promise<void> {
  const files = filesOf(join(folder, 'state'))
  await using server = new PythonServer({ python: program, files })
  const reason = await server.ready().then(
    () => 'it was served',
    () => server.lastLine,
  )
  report('state: a state_dict', /saved using torchscript, or give a model_fn/.test(reason), reason)
}

function report(what: string, isRight: boolean, shown: string): void {
  console.log(`${isRight ? 'ok  ' : 'FAIL'} ${what}: ${shown.trimEnd().slice(0, 120)}`)
  if (!isRight) process.exitCode = 1
}

function filesOf(path: string): Record<string, Buffer> {
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' })
  const paths = names.map((name) => join(path, name)).filter((one) => statSync(one).isFile())
  return Object.fromEntries(paths.map((one) => [relative(path, one), readFileSync(one)]))
}

function read(text: string, accept: string): unknown {
  if (accept !== 'text/csv') return JSON.parse(text)
  return text
    .trimEnd()
    .split('\n')
    .map((line) => line.split(',').map(Number))
}

function isClose(found: unknown, expected: unknown): boolean {
  return isDeepStrictEqual(rounded(found), rounded(expected))
}

// Another number of threads adds up in another order.
function rounded(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, one: unknown) => {
      return typeof one === 'number' ? Number(one.toFixed(4)) : one
    }),
  )
}
