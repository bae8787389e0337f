import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { CompilationJob } from '../../domain/compilation-job.ts'
import type { CompilationOutcome } from '../../ports/compiler.ts'

const OUTPUT_CHARS_MAX = 1024 * 1024
const LAST_WORDS_CHARS = 500

/** The program that compiles one model: `modelserver/compile/job/main`. */
export interface CompilerProgram {
  /** Node's executable. */
  readonly nodePath: string
  readonly entryPath: string
  readonly environment: Readonly<Record<string, string>>
}

/** Where one run of it finds its model and leaves what it made. */
export interface ProgramRun extends CompilerProgram {
  readonly modelData: { readonly directory: string }
  readonly folder: string
}

/** Runs the program to its end; aborting kills it. Rejects only when it is aborted or cannot be started. */
export async function runProgram(
  { options, shapes }: CompilationJob,
  { nodePath, entryPath, environment, modelData, folder }: ProgramRun,
  signal: AbortSignal,
): Promise<CompilationOutcome> {
  signal.throwIfAborted()
  const child = spawn(
    nodePath,
    [
      entryPath,
      `--model-directory=${modelData.directory}`,
      `--job-directory=${folder}`,
      `--options=${JSON.stringify(options)}`,
      `--shapes=${JSON.stringify(shapes)}`,
    ],
    // It ends when its stdin does: control may be killed.
    { stdio: ['pipe', 'pipe', 'pipe'], env: environment },
  )
  const kill = (): void => void child.kill('SIGKILL')
  signal.addEventListener('abort', kill, { once: true })
  let output = ''
  let lastWords = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output = (output + chunk).slice(-OUTPUT_CHARS_MAX)
  })
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    lastWords = (lastWords + chunk).slice(-LAST_WORDS_CHARS)
  })
  child.stdin.on('error', () => {})
  try {
    const [code, endSignal] = (await once(child, 'close')) as [number | null, string | null]
    signal.throwIfAborted()
    return parseOutcome(output) ?? died(endSignal ?? `exit code ${code}`, lastWords)
  } finally {
    signal.removeEventListener('abort', kill)
  }
}

function died(how: string, lastWords: string): CompilationOutcome {
  const words = lastWords.trim() === '' ? '' : `: ${lastWords.trim()}`
  return { kind: 'failed', reason: `InternalError: the compiler ended with ${how}${words}` }
}

// Written by our own program; lines of another form are what a library printed.
function parseOutcome(output: string): CompilationOutcome | undefined {
  const line = output.trimEnd().split('\n').at(-1) ?? ''
  let parsed: { kind?: unknown; digest?: unknown; inputConfig?: unknown; reason?: unknown }
  try {
    parsed = JSON.parse(line) as typeof parsed
  } catch {
    return undefined
  }
  const { kind, digest, inputConfig, reason } = parsed
  if (kind === 'compiled' && typeof digest === 'string' && typeof inputConfig === 'string') {
    return { kind, compiled: { digest: `sha256:${digest}`, inputConfig } }
  }
  if (kind === 'failed' && typeof reason === 'string') {
    return { kind, reason: `ClientError: ${reason}` }
  }
  return undefined
}
