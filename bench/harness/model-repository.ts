import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** A model of the bench: one input and one output of floats, a row of each a request. */
export interface RowModel {
  readonly bytes: Buffer
  readonly inputWidth: number
  readonly outputWidth: number
  /** More of its `config.pbtxt`. */
  readonly settings?: string
}

const ROWS_MAX = 64

/** Puts a model into a repository. */
export async function writeRowModel(
  repository: string,
  name: string,
  { bytes, inputWidth, outputWidth, settings = '' }: RowModel,
): Promise<void> {
  const ports = portsOf(inputWidth, outputWidth)
  const config = `backend: "onnxruntime" max_batch_size: ${ROWS_MAX} ${ports} ${settings}`
  await writeFiles(join(repository, name), config, { 'model.onnx': bytes })
}

/** Puts an ensemble into a repository that hands a row through models one after the other. */
export async function writeChain(
  repository: string,
  name: string,
  { models, width }: { readonly models: readonly string[]; readonly width: number },
): Promise<void> {
  const tensors = ['input', ...models.slice(1).map((_model, index) => `between${index}`), 'output']
  const steps = models.map((model, index) => {
    const maps =
      `input_map { key: "input" value: "${tensors[index]}" } ` +
      `output_map { key: "output" value: "${tensors[index + 1]}" }`
    return `step { model_name: "${model}" model_version: -1 ${maps} }`
  })
  const scheduling = `ensemble_scheduling { ${steps.join(' ')} }`
  const config = `platform: "ensemble" max_batch_size: ${ROWS_MAX} ${portsOf(width, width)} ${scheduling}`
  await writeFiles(join(repository, name), config, {})
}

function portsOf(inputWidth: number, outputWidth: number): string {
  const port = (name: string, width: number): string =>
    `${name} [ { name: "${name}" data_type: TYPE_FP32 dims: [ ${width} ] } ]`
  return `${port('input', inputWidth)} ${port('output', outputWidth)}`
}

async function writeFiles(
  directory: string,
  config: string,
  files: Readonly<Record<string, Buffer>>,
): Promise<void> {
  await mkdir(join(directory, '1'), { recursive: true })
  await writeFile(join(directory, 'config.pbtxt'), config)
  for (const [name, bytes] of Object.entries(files)) {
    await writeFile(join(directory, '1', name), bytes)
  }
}
