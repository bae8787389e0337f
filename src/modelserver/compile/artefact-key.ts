import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'

/** Raised when the files of an artefact get another form. */
const FORMAT = 1

/**
 * What an optimised model fits: this form, this ONNX Runtime, this kind of processor.
 *
 * An optimised graph chooses layouts for the processor it was made on, and rearranged weights can only be read by the
 * kernels that made them.
 */
export function artefactKey(runtimeVersion: string): string {
  const parts = [FORMAT, runtimeVersion, process.platform, process.arch, processorFeatures()]
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16)
}

let known: string | undefined

// Does not change while a process lives, and every worker asks at its start.
function processorFeatures(): string {
  known ??= readProcessorFeatures()
  return known
}

// Linux lists the instruction sets; elsewhere the processor's name stands for them.
function readProcessorFeatures(): string {
  try {
    const text = readFileSync('/proc/cpuinfo', 'utf8')
    const line = /^(?:flags|Features)\s*:\s*(.+)$/m.exec(text)?.[1]
    if (line !== undefined) return line.split(/\s+/).toSorted().join(' ')
  } catch {
    // Not Linux.
  }
  return cpus()[0]?.model ?? ''
}
