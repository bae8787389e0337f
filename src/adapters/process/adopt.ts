import { findProcess, isRunning } from '../../platform/process-identity.ts'
import type { ProcessIdentity } from '../../platform/process-identity.ts'
import { findProcessGroup } from './process-table.ts'
import type { MarkedProcess } from './process-table.ts'
import type { ContainerRecord, InstanceRecord, Records } from './records.ts'

/** What an earlier control left behind. */
export interface Inheritance {
  /** Instances of which a container's process runs; each record names those that do, and no others. */
  readonly alive: readonly InstanceRecord[]
  /** Folders of instances that are gone. */
  readonly goneIds: readonly string[]
  /** Processes of ours that belong to no living instance. */
  readonly orphans: readonly MarkedProcess[]
}

/**
 * Sorts out what runs.
 *
 * | record | process | then |
 * |---|---|---|
 * | names a process | runs, and carries the marker | alive |
 * | announces a start | a marked group leader runs | alive: control died between start and record |
 * | any | no such process | gone; marked processes left of it are orphans |
 * | none | marked process | orphan |
 *
 * With several containers the table holds for each; the instance is alive while one of them is.
 */
export function findInheritance(records: Records, marked: readonly MarkedProcess[]): Inheritance {
  const alive: InstanceRecord[] = []
  const goneIds: string[] = []
  for (const instanceId of records.listInstanceIds()) {
    const record = records.findInstance(instanceId)
    const own = marked.filter((found) => found.instanceId === instanceId)
    const containers = record?.containers.map((container, index) => {
      const { process: _recorded, ...kept } = container
      const hostname =
        record.containers.length > 1 ? record.spec.containers[index]?.hostname : undefined
      const process = findLeader(
        container,
        own.filter((found) => found.hostname === hostname),
      )
      return process === undefined ? kept : { ...kept, process }
    })
    const isAlive = containers?.some((container) => 'process' in container) === true
    if (record === undefined || !isAlive) goneIds.push(instanceId)
    else alive.push({ ...record, containers })
  }
  const aliveIds = new Set(alive.map(({ instanceId }) => instanceId))
  return { alive, goneIds, orphans: marked.filter(({ instanceId }) => !aliveIds.has(instanceId)) }
}

function findLeader(
  record: ContainerRecord,
  own: readonly MarkedProcess[],
): ProcessIdentity | undefined {
  if (record.process !== undefined) {
    const { pid } = record.process
    // Only Linux lists markers; elsewhere pid and start time must do.
    const isOurs = process.platform !== 'linux' || own.some((found) => found.pid === pid)
    return isOurs && isRunning(record.process) ? record.process : undefined
  }
  const leader = own.find(({ pid }) => findProcessGroup(pid) === pid)
  return leader === undefined ? undefined : findProcess(leader.pid)
}
