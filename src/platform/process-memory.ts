import { readFile } from 'node:fs/promises'

// Of a tree of processes: more would be a runaway, and is not worth the reading.
const PROCESSES_MAX = 1_000

/**
 * Memory of a process and its descendants, shared pages counted by their share; `undefined` when the system does not tell.
 *
 * Not the resident size: pages that several processes map would count several times. Source: proc(5), `smaps_rollup`.
 */
export async function measureProportionalBytes(pid: number): Promise<number | undefined> {
  const pids = [pid]
  let bytes: number | undefined
  for (let index = 0; index < pids.length && index < PROCESSES_MAX; index += 1) {
    const own = pids[index] ?? pid
    const rollup = await readText(`/proc/${own}/smaps_rollup`)
    const kibibytes = /^Pss:\s+(\d+) kB/m.exec(rollup)?.[1]
    if (kibibytes !== undefined) bytes = (bytes ?? 0) + Number(kibibytes) * 1024
    const children = await readText(`/proc/${own}/task/${own}/children`)
    pids.push(...children.split(' ').flatMap((text) => (text === '' ? [] : [Number(text)])))
  }
  return bytes
}

async function readText(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch(() => '')
}
