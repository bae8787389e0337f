import { isUtf8 } from 'node:buffer'
import { readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { GraphTensor } from '../../../wire/oip/onnx-config.ts'
import { splitBytes } from '../../../wire/oip/tensor.ts'
import type { Tensor } from '../../../wire/oip/tensor.ts'
import type { Port } from '../../codecs/signature.ts'
import type { Log } from '../../log.ts'
import type { Backend, LoadedModel, ModelToLoad } from '../backend.ts'
import { fingerprint } from '../scan-repository.ts'
import { ServingError } from '../serving-error.ts'
import { toDatatype } from './element-bytes.ts'
import { KeptRuns } from './kept-runs.ts'
import { OnnxInstance } from './onnx-instance.ts'
import { toSessionChoices } from './session-settings.ts'

// Every thread that runs a model ahead has a copy of it.
const FOLLOW_UP_BYTES_MAX = 8 * 1024 * 1024

/** ONNX models, each instance with a session in a thread of its own. */
export class OnnxBackend implements Backend {
  async load({ versionDirectory, source }: ModelToLoad, log: Log): Promise<LoadedModel> {
    const modelPath = await findModelFile(versionDirectory, source.modelFilename)
    const { batchForm } = source
    const folder = dirname(modelPath)
    const files = await fingerprint(folder)
    const kept = new KeptRuns({ modelPath, choices: toSessionChoices(source.written), files })
    const instances = [new OnnxInstance(kept, batchForm, log)]
    try {
      // The first one tells what the model is, and thereby how many there are to be.
      const signature = await instances[0]?.signature
      const config = source.complete({
        inputs: (signature?.inputs ?? []).map(toGraphPort),
        outputs: (signature?.outputs ?? []).map(toGraphPort),
      })
      while (instances.length < config.instanceCount) {
        instances.push(new OnnxInstance(kept, batchForm, log))
      }
      await Promise.all(instances.map((instance) => instance.signature))
      const isSmall = (await bytesOf(folder)) <= FOLLOW_UP_BYTES_MAX
      const followUpModel = batchForm === undefined && isSmall ? kept : undefined
      return { config, instances, findRefusal, followUpModel }
    } catch (error) {
      await Promise.all(instances.map((instance) => instance.close()))
      throw error
    }
  }
}

/** Of the files in a folder, external weights among them. */
async function bytesOf(directory: string): Promise<number> {
  const names = await readdir(directory)
  // A link may lead nowhere.
  const found = await Promise.all(
    names.map((name) => stat(join(directory, name)).catch(() => undefined)),
  )
  return found.reduce((sum, one) => sum + (one?.size ?? 0), 0)
}

async function findModelFile(versionDirectory: string, filename: string): Promise<string> {
  const path = join(versionDirectory, filename)
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) {
    throw new ServingError('UNAVAILABLE', `unable to find '${path}' for model`)
  }
  // External weights lie beside the model in a folder of its name.
  return found.isDirectory() ? join(path, 'model.onnx') : path
}

function toGraphPort({ name, type, dims }: Port): GraphTensor {
  const sizes = dims.map((dim) => (typeof dim === 'number' ? dim : -1))
  return { name, datatype: toDatatype(type), dims: sizes }
}

// The runtime's binding takes texts as C strings of UTF-8: others would be changed on the way without a word.
function findRefusal(inputs: readonly Tensor[]): string | undefined {
  for (const { name, datatype, data } of inputs) {
    if (datatype !== 'BYTES') continue
    const isText = splitBytes(data).every((part) => isUtf8(part) && !part.includes(0))
    if (!isText) {
      return `input '${name}' has an element that is not UTF-8 text without NUL, which an ONNX model cannot take`
    }
  }
  return undefined
}
