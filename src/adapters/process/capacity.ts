import type { FleetSpec } from '../../domain/fleet.ts'
import { shapeOf } from '../../domain/instance-type.ts'
import type { InstanceShape } from '../../domain/instance-type.ts'

const GIB = 1024 ** 3

/** Why one more instance does not fit beside those that run, with the numbers; `undefined` when it does. */
export function describeShortage(
  instanceType: string,
  running: readonly FleetSpec[],
  machine: InstanceShape,
  configured: Readonly<Record<string, InstanceShape>>,
): string | undefined {
  const wanted = shapeOf(instanceType, configured)
  if (wanted === undefined) {
    return `InsufficientInstanceCapacity: the size of instance type ${instanceType} is not known.`
  }
  const shapes = running.map((spec) => shapeOf(spec.instanceType, configured))
  const usedVCpuCount = shapes.reduce((sum, shape) => sum + (shape?.vCpuCount ?? 0), 0)
  const usedBytes = shapes.reduce((sum, shape) => sum + (shape?.memoryBytes ?? 0), 0)
  const fits =
    usedVCpuCount + wanted.vCpuCount <= machine.vCpuCount &&
    usedBytes + wanted.memoryBytes <= machine.memoryBytes
  if (fits) return undefined
  return (
    `InsufficientInstanceCapacity: ${instanceType} needs ${wanted.vCpuCount} vCPU and ` +
    `${gib(wanted.memoryBytes)}; of this machine's ${machine.vCpuCount} vCPU and ${gib(machine.memoryBytes)}, ` +
    `${usedVCpuCount} vCPU and ${gib(usedBytes)} are taken.`
  )
}

function gib(bytes: number): string {
  return `${Math.round((bytes / GIB) * 10) / 10} GiB`
}
