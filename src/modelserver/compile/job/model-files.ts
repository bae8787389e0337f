import { copyFileSync, chmodSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { FileSource } from '../../onnx/file-source.ts'
import { readOutline, fieldsOf } from '../../onnx/outline.ts'
import { textOf } from '../../onnx/protobuf.ts'

// Source: onnx.proto, field numbers.
const GRAPH_INITIALIZER = 5
const TENSOR_EXTERNAL_DATA = 13
const ENTRY = { key: 1, value: 2 } as const

/** The model's own file and the files its weights lie in, relative to the folder. */
export function modelFileNames(directory: string, modelName: string): readonly string[] {
  using source = new FileSource(join(directory, modelName))
  const graph = readOutline(source)?.graph
  const names = new Set([modelName])
  for (const tensor of graph === undefined ? [] : fieldsOf(source, graph)) {
    if (tensor.number !== GRAPH_INITIALIZER) continue
    for (const entry of fieldsOf(source, tensor)) {
      if (entry.number !== TENSOR_EXTERNAL_DATA) continue
      const texts = new Map([...fieldsOf(source, entry)].map((field) => [field.number, field]))
      const key = texts.get(ENTRY.key)
      const value = texts.get(ENTRY.value)
      if (key !== undefined && value !== undefined && textOf(source, key) === 'location') {
        names.add(join(dirname(modelName), textOf(source, value)))
      }
    }
  }
  return [...names]
}

/** Size of files together; a missing one has none. */
export function bytesOf(directory: string, names: readonly string[]): number {
  return names.reduce(
    (sum, name) => sum + (statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0),
    0,
  )
}

/** Copies what else is in a model's folder, labels for example. They may be read-only where they are. */
export function copyOtherFiles(from: string, to: string, except: readonly string[]): void {
  for (const entry of readdirSync(from, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const name = path.slice(from.length + 1)
    if (except.includes(name)) continue
    mkdirSync(dirname(join(to, name)), { recursive: true })
    copyFileSync(path, join(to, name))
    chmodSync(join(to, name), 0o644)
  }
}
