/** What an instance type names: the size of an instance. */
export interface InstanceShape {
  readonly vCpuCount: number
  readonly memoryBytes: number
}

const GIB = 1024 ** 3

/**
 * Memory per vCPU in GiB, by the first letters of a family. Burstable (`t`), general (`m`), compute (`c`), memory (`r`).
 *
 * Source: EC2 instance type pages. Within a family memory grows with the vCPUs, so one number each is enough; the
 * older c4 (1.875) and r4 (7.6) are rounded to their family's.
 */
const GIB_PER_VCPU: readonly (readonly [family: RegExp, gib: number])[] = [
  [/^c\d/, 2],
  [/^(m|t)\d/, 4],
  [/^(r|x)\d/, 8],
  [/^g6e$/, 8],
  [/^g7e$/, 8],
  [/^(g4dn|g5|g6)$/, 4],
  [/^(inf1)$/, 2],
  [/^(inf2)$/, 4],
  [/^local$/, 4],
]

/** Types whose size does not follow from their name: `[vCPU, GiB]`. Source: EC2 instance type pages. */
const EXCEPTIONS: Readonly<Record<string, readonly [vCpuCount: number, gib: number]>> = {
  't2.medium': [2, 4],
  't2.large': [2, 8],
  't2.xlarge': [4, 16],
  't2.2xlarge': [8, 32],
  'c4.8xlarge': [36, 60],
  'm4.10xlarge': [40, 160],
  'g5.48xlarge': [192, 768],
  'p2.xlarge': [4, 61],
  'p2.8xlarge': [32, 488],
  'p2.16xlarge': [64, 732],
  'p3.2xlarge': [8, 61],
  'p3.8xlarge': [32, 244],
  'p3.16xlarge': [64, 488],
  'p4d.24xlarge': [96, 1152],
  'p4de.24xlarge': [96, 1152],
  'p5.4xlarge': [16, 256],
  'p5.48xlarge': [192, 2048],
  'p5e.48xlarge': [192, 2048],
  'p5en.48xlarge': [192, 2048],
  'p6-b200.48xlarge': [192, 2048],
  'p6-b300.48xlarge': [192, 4096],
  'p6e-gb200.36xlarge': [144, 960],
  'dl1.24xlarge': [96, 768],
  'trn1.2xlarge': [8, 32],
  'trn1.32xlarge': [128, 512],
  'trn1n.32xlarge': [128, 512],
  'trn2.48xlarge': [192, 2048],
}

/**
 * The shape an `ml.*` or `local.*` instance type names, or `undefined` when the name says nothing.
 *
 * `ml.m5.xlarge` is 4 vCPU and 16 GiB. `local.xlarge` follows the general-purpose sizes; an operator's own types are
 * looked up in `configured` first.
 */
export function shapeOf(
  instanceType: string,
  configured: Readonly<Record<string, InstanceShape>> = {},
): InstanceShape | undefined {
  const own = Object.hasOwn(configured, instanceType) ? configured[instanceType] : undefined
  if (own !== undefined) return own
  const name = instanceType.startsWith('ml.') ? instanceType.slice('ml.'.length) : instanceType
  const exception = Object.hasOwn(EXCEPTIONS, name) ? EXCEPTIONS[name] : undefined
  if (exception !== undefined) return shape(...exception)
  const [family = '', size = ''] = name.split('.')
  const vCpuCount = vCpuCountOf(size)
  const gibPerVCpu = GIB_PER_VCPU.find(([pattern]) => pattern.test(family))?.[1]
  if (vCpuCount === undefined || gibPerVCpu === undefined) return undefined
  return shape(vCpuCount, vCpuCount * gibPerVCpu)
}

/** Threads for inference: the shape's vCPUs, at most the machine's cores, at least one. */
export function workerCountOf(wanted: InstanceShape | undefined, machineCoreCount: number): number {
  return Math.max(1, Math.min(wanted?.vCpuCount ?? 1, machineCoreCount))
}

function shape(vCpuCount: number, gib: number): InstanceShape {
  return { vCpuCount, memoryBytes: gib * GIB }
}

// medium 1, large 2, xlarge 4, Nxlarge 4·N.
function vCpuCountOf(size: string): number | undefined {
  if (size === 'medium') return 1
  if (size === 'large') return 2
  const factor = /^(\d{0,3})xlarge$/.exec(size)?.[1]
  if (factor === undefined) return undefined
  return factor === '' ? 4 : 4 * Number(factor)
}
