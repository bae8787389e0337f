/**
 * `npm run pack:check`: packs the package, looks at what is in it, installs it into an empty folder elsewhere as a
 * user would, and runs `berth up` and the quickstart from there.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const ROOT = join(import.meta.dirname, '..')
const MEGABYTE = 1_000_000
// Three copies of ONNX Runtime, one for each system, are nearly all of it.
const PACKED_BYTES_MAX = 60 * MEGABYTE
const PROGRAM_BYTES_MAX = 15 * MEGABYTE

const EXPECTED = [
  /^(package\.json|README\.md|LICENSE|CHANGELOG\.md)$/,
  /^bin\/berth\.js$/,
  /^dist\/(cli|gateway|modelserver|modelserver\/compile|modelserver\/compile\/job|modelserver\/onnx|modelserver\/multi-model\/onnx|modelserver\/node\/(worker|author)|modelserver\/graph\/data|modelserver\/triton|modelserver\/triton\/onnx|examples\/digits|chunks)\/[\w-]+\.js(\.map)?$/,
  /^dist\/main\.js(\.map)?$/,
  /^dist\/modelserver\/triton\/grpc\/\w+\.proto$/,
  /^dist\/modelserver\/python\/worker\/(berth_worker\/)?\w+\.py$/,
  /^dist\/modelserver\/node\/author\/model\.d\.ts$/,
  /^dist\/THIRD-PARTY-NOTICES\.txt$/,
  /^dist\/onnxruntime\/(linux|darwin)\/(x64|arm64)\/[\w.]+$/,
  /^examples\/digits\/(README\.md|train\.py|requirements\.txt|holdout\.csv|one-image\.json)$/,
  /^examples\/digits\/model\/(model\.onnx|metrics\.json)$/,
]

interface PackedFile {
  readonly path: string
  readonly size: number
}

const folder = mkdtempSync(join(tmpdir(), 'berth-pack-'))
try {
  const tarball = pack()
  const installed = install(tarball)
  await runBerth(installed)
  runQuickstart(installed)
  console.log('The package works where it is installed.')
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function pack(): string {
  const output = npm(['pack', '--json', '--pack-destination', folder], ROOT)
  const parsed: unknown = JSON.parse(output)
  // npm prints an array up to 11 and an object by package name after.
  const [packed] = Object.values(parsed as object) as {
    readonly filename: string
    readonly size: number
    readonly files: readonly PackedFile[]
  }[]
  assert.ok(packed !== undefined, 'npm pack names no package')
  const { files, size } = packed
  const unexpected = files.filter(({ path }) => !EXPECTED.some((pattern) => pattern.test(path)))
  assert.deepEqual(unexpected, [], 'files that do not belong into the package')
  for (const pattern of EXPECTED) {
    assert.ok(
      files.some(({ path }) => pattern.test(path)),
      `the package has no ${pattern.source}`,
    )
  }
  const programs = files.filter(({ path }) => path.endsWith('.js'))
  const programBytes = programs.reduce((sum, file) => sum + file.size, 0)
  assert.ok(size <= PACKED_BYTES_MAX, `the package has ${size} bytes`)
  assert.ok(programBytes <= PROGRAM_BYTES_MAX, `the programs have ${programBytes} bytes`)
  console.log(`packed: ${files.length} files, ${(size / MEGABYTE).toFixed(1)} MB`)
  return join(folder, packed.filename)
}

/** Installs into an empty folder with the settings of a user who has none. */
function install(tarball: string): string {
  const installed = join(folder, 'elsewhere')
  mkdirSync(installed)
  npm(['install', tarball], installed)
  assert.deepEqual(packagesWithScripts(installed), [], 'packages that run a script when installed')
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  assert.equal(npm(['exec', '--', 'berth', '--version'], installed).trim(), version)
  console.log(`installed with npm ${npm(['--version'], installed).trim()}`)
  return installed
}

/** Newer npm versions refuse install scripts, and what they would fetch may be out of reach. */
function packagesWithScripts(installed: string): string[] {
  const lockFile = join(installed, 'node_modules/.package-lock.json')
  const { packages } = JSON.parse(readFileSync(lockFile, 'utf8'))
  return Object.entries(packages as Record<string, { readonly hasInstallScript?: boolean }>)
    .filter(([, { hasInstallScript }]) => hasInstallScript === true)
    .map(([path]) => path)
}

/** Starts the installed platform on a free port and stops it in order. */
async function runBerth(installed: string): Promise<void> {
  const args = ['up', '--json', '--port', '0', '--data-dir', join(folder, 'data')]
  const berth = spawn(join(installed, 'node_modules/.bin/berth'), args, {
    cwd: installed,
    env: userEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(berth, 'exit')
  const ready = await readReady(berth.stdout)
  if (ready !== undefined) console.log(`berth up: ready at ${ready}`)
  berth.kill('SIGTERM')
  const [code] = await exited
  assert.ok(ready !== undefined, 'berth up ended before it was ready')
  assert.equal(code, 0, 'berth up did not stop in order')
}

async function readReady(output: NodeJS.ReadableStream): Promise<string | undefined> {
  for await (const line of createInterface({ input: output })) {
    const event = line.startsWith('{') ? JSON.parse(line) : {}
    if (event.event === 'ready') return String(event.url)
  }
  return undefined
}

function runQuickstart(installed: string): void {
  const program = 'node_modules/berth/dist/examples/digits/quickstart.js'
  const output = npm(['exec', '-c', `node ${program} --once`], installed)
  console.log(output.trimEnd().replaceAll(/^/gm, '  '))
}

function npm(args: readonly string[], cwd: string): string {
  return execFileSync('npm', [...args], {
    cwd,
    env: userEnvironment(),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 64 * MEGABYTE,
  })
}

/** This environment without what npm and this checkout put into it: their settings must not help the install. */
function userEnvironment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|AWS_|BERTH_|INIT_CWD$|NODE$)/i.test(name),
  )
  const path = (process.env['PATH'] ?? '')
    .split(':')
    .filter((entry) => !entry.includes('node_modules'))
  return { ...Object.fromEntries(own), PATH: path.join(':') }
}
