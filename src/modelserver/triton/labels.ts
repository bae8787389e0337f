import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ModelConfig } from './model-config.ts'
import { ServingError } from './serving-error.ts'

/** Names of classes, by output. */
export type Labels = ReadonlyMap<string, readonly string[]>

/**
 * Reads the label files that a config names.
 *
 * @throws ServingError INTERNAL: one cannot be read.
 */
export async function readLabels(config: ModelConfig, modelDirectory: string): Promise<Labels> {
  const labels = new Map<string, readonly string[]>()
  for (const { name, labelFilename } of config.outputs) {
    if (labelFilename === '') continue
    const path = join(modelDirectory, labelFilename)
    const text = await readFile(path, 'utf8').catch(() => {
      throw new ServingError('INTERNAL', `unable to open label file '${path}'`)
    })
    labels.set(name, text.replace(/\r?\n$/, '').split(/\r?\n/))
  }
  return labels
}
