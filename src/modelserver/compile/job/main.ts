/**
 * Compiles one model and ends: `node compile/job/main.js --model-directory DIR --job-directory DIR --options JSON --shapes JSON`.
 *
 * A process of its own: it takes seconds of native code and memory for the model several times over, may die of a model
 * without harm to anything that serves, and is killed when its job is stopped or takes too long. The last line on stdout
 * is a `JobOutcome`; what was compiled lies in the job's folder: `model.tar.gz` and `report.json`.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { isMainThread, Worker } from 'node:worker_threads'
import { StartFailure } from '../../start-failure.ts'
import { Refusal } from '../refusal.ts'
import { compileJob } from './compile-job.ts'
import { JobFailure } from './job-failure.ts'
import { packFolder } from './pack-folder.ts'
import { parseOptions, parseShapes } from './parse-options.ts'

/** What the program says at its end. */
type JobOutcome =
  | { readonly kind: 'compiled'; readonly digest: string; readonly inputConfig: string }
  | { readonly kind: 'failed'; readonly reason: string }

const { values } = parseArgs({
  options: {
    'model-directory': { type: 'string' },
    'job-directory': { type: 'string' },
    options: { type: 'string' },
    shapes: { type: 'string' },
  },
})
const modelDirectory = values['model-directory']
const jobDirectory = values['job-directory']
if (!modelDirectory || !jobDirectory || !values.options || !values.shapes) {
  throw new Error('--model-directory, --job-directory, --options and --shapes are needed.')
}
if (isMainThread) {
  // Whoever started it holds the other end; with nobody to tell, there is nothing to do. A model that runs holds its thread
  // and cannot be asked to end, so that the work is done in another one.
  const leave = (): void => void process.kill(process.pid, 'SIGKILL')
  process.stdin.on('end', leave).on('error', leave).resume().unref?.()
  // Whoever serves goes first.
  setPriority(constants.priority.PRIORITY_BELOW_NORMAL)
  new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) })
} else {
  const outcome = await compile(modelDirectory, jobDirectory, values.options, values.shapes)
  process.stdout.write(`${JSON.stringify(outcome)}\n`)
}

async function compile(
  from: string,
  folder: string,
  optionsText: string,
  shapesText: string,
): Promise<JobOutcome> {
  const outputDirectory = join(folder, 'output')
  const workDirectory = join(folder, 'work')
  mkdirSync(outputDirectory)
  mkdirSync(workDirectory)
  const options = parseOptions(optionsText)
  const samples = options.samples
  try {
    const shapes = parseShapes(shapesText)
    const request = { modelDirectory: from, samples, shapes, options }
    const { report, signature } = await compileJob({ ...request, outputDirectory, workDirectory })
    const text = JSON.stringify(report, undefined, 2)
    writeFileSync(join(folder, 'report.json'), text)
    writeFileSync(join(outputDirectory, 'report.json'), text)
    const digest = await packFolder(outputDirectory, join(folder, 'model.tar.gz'))
    const inputs = signature.inputs.map(({ name, dims }) => [
      name,
      dims.map((dim) => (typeof dim === 'number' ? dim : -1)),
    ])
    return { kind: 'compiled', digest, inputConfig: JSON.stringify(Object.fromEntries(inputs)) }
  } catch (error) {
    if (error instanceof Refusal) {
      return { kind: 'failed', reason: `The model cannot be compiled so: ${error.message}.` }
    }
    const isOfModel = error instanceof JobFailure || error instanceof StartFailure
    if (isOfModel) return { kind: 'failed', reason: error.message }
    throw error
  }
}
