import { availableParallelism, totalmem } from 'node:os'
import { formatBytes } from '../../platform/format-bytes.ts'
import { fieldOf } from '../json.ts'
import { error, ok, warn } from './finding.ts'
import type { Finding } from './finding.ts'

const NODE_MAJOR_MIN = 24
const OPEN_FILES_MIN = 4096
// The platform itself takes up to 150 MB; ONNX Runtime with a small model about as much again.
const MEMORY_BYTES_MIN = 512_000_000
// Signatures are valid for minutes: a clock that stands at a default date refuses everything.
const CLOCK_MS_MIN = Date.UTC(2026, 0, 1)

/** Node, processors, memory, open files and clock of this machine. */
export function describeMachine(): Finding[] {
  return [describeNode(), describePlatform(), describeSize(), describeOpenFiles(), describeClock()]
}

function describeNode(): Finding {
  const { node } = process.versions
  if (Number(node.split('.')[0]) >= NODE_MAJOR_MIN) return ok('node', `Node ${node}.`)
  return error('node', `Node ${node} is too old.`, `Install Node ${NODE_MAJOR_MIN}.`)
}

function describePlatform(): Finding {
  const name = `${process.platform} ${process.arch}`
  const isSupported = ['linux x64', 'linux arm64', 'darwin arm64'].includes(name)
  if (isSupported) return ok('system', `${name}.`)
  return error('system', `${name} is not supported.`, 'Use Linux (x64, arm64) or macOS (arm64).')
}

function describeSize(): Finding {
  // A container's limit counts, where there is one.
  const limit = process.constrainedMemory()
  const bytes = limit > 0 ? Math.min(limit, totalmem()) : totalmem()
  const message = `${availableParallelism()} cores, ${formatBytes(bytes)} memory.`
  if (bytes >= MEMORY_BYTES_MIN) return ok('machine', message)
  return warn('machine', message, `Give it at least ${formatBytes(MEMORY_BYTES_MIN)}.`)
}

function describeOpenFiles(): Finding {
  const limits = fieldOf(process.report.getReport(), 'userLimits')
  const soft = fieldOf(fieldOf(limits, 'open_files'), 'soft')
  const count = soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft)
  if (Number.isNaN(count)) return ok('open files', 'The limit is not known here.')
  if (count >= OPEN_FILES_MIN) return ok('open files', `At most ${String(soft)}.`)
  const message = `At most ${count}: about as many connections.`
  return warn('open files', message, 'Raise it before berth up: ulimit -n 65536')
}

function describeClock(): Finding {
  const now = new Date()
  if (now.getTime() >= CLOCK_MS_MIN) return ok('clock', `${now.toISOString()}.`)
  const message = `${now.toISOString()} cannot be right: signatures would be refused.`
  return error('clock', message, 'Set the clock, or start a time service.')
}
