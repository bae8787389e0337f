import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { JsonObject } from '../../domain/json.ts'
import type { Log } from '../../platform/log.ts'
import type { OptimiseModel, OptimiseOutcome, PreparedModelData } from './settings.ts'
import { Turnstile } from './turnstile.ts'

/** What the optimiser of models needs. */
export interface ModelOptimiserOptions {
  /** Node's executable. */
  readonly nodePath: string
  /** Entry file of the program that optimises one model: `modelserver/compile/main`. */
  readonly entryPath: string
  /** `<data-dir>/models`: artefacts lie beside what they were made from. */
  readonly modelsDirectory: string
  readonly environment: Readonly<Record<string, string>>
  readonly log: Log
  /** Ends programs that still run: what they were at is made at another start. */
  readonly stopping: AbortSignal
}

// Model data below this loads as quickly as it is: an inline model takes about 3 ms a megabyte, mapping it none, and
// a start takes 20 ms at least. Making an artefact delays the first start by half a second and more.
const MODEL_BYTES_MIN = 8 * 1024 * 1024
// 400 MB take 3 to 10 s. Past this the original serves, however large the model is.
const OPTIMISE_MS_MAX = 10 * 60_000
// Each takes a core and the memory of its model several times over.
const OPTIMISERS_MAX = 1
const LAST_WORDS_CHARS = 500

/**
 * Creates the step between preparing model data and starting an instance: one program run per content while this
 * process lives, shared by all who ask. That program knows the artefacts (`modelserver/compile/optimise.ts`).
 */
export function createModelOptimiser(options: ModelOptimiserOptions): OptimiseModel {
  const turnstile = new Turnstile(OPTIMISERS_MAX)
  const outcomeByHash = new Map<string, Promise<OptimiseOutcome>>()
  const never = new AbortController().signal
  const forget = (contentHash: string): void => void outcomeByHash.delete(contentHash)
  return async (prepared, signal) => {
    if (prepared.bytes < MODEL_BYTES_MIN) return { kind: 'small' }
    const { contentHash } = prepared
    const known = outcomeByHash.get(contentHash)
    const isKept = known === undefined || isUsable(await settled(known, signal))
    if (!isKept && outcomeByHash.get(contentHash) === known) forget(contentHash)
    const outcome =
      outcomeByHash.get(contentHash) ??
      turnstile.run(() => runOptimiser(prepared, options, () => forget(contentHash)), never)
    outcomeByHash.set(contentHash, outcome)
    return settled(outcome, signal)
  }
}

// Removed with model data that nobody used, or set aside by a worker that could not load it.
function isUsable(outcome: OptimiseOutcome): boolean {
  if (outcome.kind !== 'optimised') return true
  return existsSync(outcome.directory) && !existsSync(`${outcome.directory}.suspect`)
}

/** The outcome for one that asked; the work goes on for the others when it leaves. */
async function settled(
  outcome: Promise<OptimiseOutcome>,
  signal: AbortSignal,
): Promise<OptimiseOutcome> {
  signal.throwIfAborted()
  const { promise: left, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([outcome, left])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** Resolves with the program's first report; it may go on reading what it has found, and tell of damage later. */
function runOptimiser(
  { directory, contentHash, bytes }: PreparedModelData,
  { nodePath, entryPath, modelsDirectory, environment, log, stopping }: ModelOptimiserOptions,
  onDamaged: () => void,
): Promise<OptimiseOutcome> {
  const child = spawn(
    nodePath,
    [
      entryPath,
      `--model-directory=${directory}`,
      `--content-hash=${contentHash}`,
      `--models-directory=${modelsDirectory}`,
    ],
    {
      // It ends when its stdin does: control may be killed.
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { MALLOC_TRIM_THRESHOLD_: '65536', ...environment },
      timeout: OPTIMISE_MS_MAX,
      signal: stopping,
      killSignal: 'SIGKILL',
    },
  )
  child.unref()
  const lastWords = collectLastWords(child)
  const { promise, resolve } = Promise.withResolvers<OptimiseOutcome>()
  createInterface({ input: child.stdout }).on('line', (line) => {
    const report = parseReport(line)
    if (report?.kind === 'damaged') {
      log.warn({ contentHash, reason: report.reason }, 'optimised model was damaged and is removed')
      onDamaged()
    } else if (report !== undefined) {
      log.info({ contentHash, bytes, ...report }, 'model looked at for optimising')
      resolve(report)
    }
  })
  const end = (how: string): void => {
    resolve({ kind: 'original', reason: `the optimiser ${how}${lastWords()}` })
  }
  child.once('error', (error) => end(`could not be started: ${error.message}`))
  child.once('close', (code, signal) => end(`ended with ${signal ?? `exit code ${code}`}`))
  return promise
}

function collectLastWords(child: ChildProcess): () => string {
  let text = ''
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(-LAST_WORDS_CHARS)
  })
  return () => (text === '' ? '' : `: ${text.trim()}`)
}

type Report = Exclude<OptimiseOutcome, { kind: 'small' }> | { kind: 'damaged'; reason: string }

// Written by our own program; a line of another form is what a library printed.
function parseReport(line: string): Report | undefined {
  let parsed: { kind?: unknown; reason?: unknown; directory?: unknown; detail?: unknown }
  try {
    parsed = JSON.parse(line) as typeof parsed
  } catch {
    return undefined
  }
  const { kind, reason, directory, detail } = parsed
  if (kind === 'optimised' && typeof directory === 'string') {
    return { kind, directory, detail: (detail ?? {}) as JsonObject }
  }
  if ((kind === 'original' || kind === 'damaged') && typeof reason === 'string') {
    return { kind, reason }
  }
  return undefined
}
