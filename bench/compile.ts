/**
 * What a compilation does to three models: `node bench/compile.ts` prints a table of size, load time, latency and
 * difference before and after, as the report of a compilation job measures them (one thread, random inputs).
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DEFAULT_COMPILATION_OPTIONS, QUANTIZATIONS } from '../src/domain/compilation-options.ts'
import type { Quantization } from '../src/domain/compilation-options.ts'
import { compileJob } from '../src/modelserver/compile/job/compile-job.ts'
import type { JobReport } from '../src/modelserver/compile/job/job-report.ts'
import { makeMidSizeModel } from './models/mid-size.ts'
import { makeMlp } from './models/mlp.ts'

const MODELS: Readonly<Record<string, () => Buffer>> = {
  digits: () => readFileSync(join(import.meta.dirname, '../examples/digits/model/model.onnx')),
  'MLP 4 × 1024²': () => makeMlp({ width: 1024, layerCount: 4 }),
  'convolutions (mid-size)': () => makeMidSizeModel(),
}

console.log(
  '| Model | | Size | Load | 1 row | 8 rows | Difference |\n|---|---|---|---|---|---|---|',
)
for (const [name, make] of Object.entries(MODELS)) {
  for (const quantization of QUANTIZATIONS) {
    const report = await compile(make(), quantization)
    if (quantization === 'none') console.log(row(name, 'before', report, 'before'))
    console.log(row(name, quantization, report, 'after'))
  }
}

async function compile(model: Buffer, quantization: Quantization): Promise<JobReport> {
  const folder = mkdtempSync(join(tmpdir(), 'berth-bench-compile-'))
  const [modelDirectory = '', outputDirectory = '', workDirectory = ''] = ['m', 'o', 'w'].map(
    (name) => join(folder, name),
  )
  for (const path of [modelDirectory, outputDirectory, workDirectory]) mkdirSync(path)
  writeFileSync(join(modelDirectory, 'model.onnx'), model)
  const options = { ...DEFAULT_COMPILATION_OPTIONS, quantization, tolerance: 1 }
  const folders = { modelDirectory, outputDirectory, workDirectory }
  const request = { ...folders, options, samples: undefined, shapes: {} }
  const { report } = await compileJob(request)
  rmSync(folder, { recursive: true })
  return report
}

function row(name: string, form: string, report: JobReport, which: 'before' | 'after'): string {
  const { bytes, loadMs } = report[which]
  const [one, eight] = report.latency.map((latency) => latency[`${which}Ms`])
  const difference = which === 'before' ? '' : report.difference.largestShare.toExponential(1)
  const size = bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`
  const ms = (value = NaN): string => `${value.toPrecision(3)} ms`
  return `| ${name} | ${form} | ${size} | ${ms(loadMs)} | ${ms(one)} | ${ms(eight)} | ${difference} |`
}
