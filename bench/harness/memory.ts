import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Memory of some processes, summed, in bytes. */
export interface Memory {
  /** Pages shared between them are counted once per process. */
  readonly residentBytes: number
  /** Shared pages divided by their users; where the system tells (Linux). */
  readonly proportionalBytes: number | undefined
}

export function readMemory(pids: readonly number[]): Memory {
  const rss = execFileSync('ps', ['-o', 'rss=', '-p', pids.join(',')], { encoding: 'utf8' })
  const residentKib = rss.trim().split(/\s+/).map(Number)
  if (residentKib.length !== pids.length)
    throw new Error(`Of ${pids.join(', ')} not all are alive.`)
  const proportional = pids.map(readProportionalBytes)
  return {
    residentBytes: sum(residentKib) * 1024,
    proportionalBytes: proportional.every((bytes) => bytes !== undefined)
      ? sum(proportional)
      : undefined,
  }
}

function readProportionalBytes(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
    const kib = /^Pss:\s+(\d+)/m.exec(text)?.[1]
    return kib === undefined ? undefined : Number(kib) * 1024
  } catch {
    return undefined
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
