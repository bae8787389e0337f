import { execFileSync } from 'node:child_process'
import { availableParallelism, cpus, release, totalmem, type } from 'node:os'

/** What a number must be read with: where and from what it comes. */
export interface Provenance {
  readonly commit: string
  readonly date: string
  readonly machine: string
  readonly node: string
}

export function readProvenance(): Provenance {
  const gib = (totalmem() / 1024 ** 3).toFixed(0)
  const model = cpus()[0]?.model.trim() ?? 'unknown processor'
  return {
    commit: readCommit(),
    date: new Date().toISOString().slice(0, 16).replace('T', ' ') + ' UTC',
    machine: `${model}, ${availableParallelism()} cores, ${gib} GiB, ${type()} ${release()}`,
    node: process.version,
  }
}

function readCommit(): string {
  const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8' }).trim()
  // Its own results do not make a tree dirty.
  const changed = git('status', '--porcelain', '--', '.', ':!bench/RESULTS*.md')
  return (
    git('rev-parse', '--short=12', 'HEAD') + (changed === '' ? '' : ' with uncommitted changes')
  )
}
