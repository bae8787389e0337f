import { read } from '../json-reader.ts'

/** An instance of a model before it is made. */
export interface NamedInstance {
  /** As Triton names it: that of its group, and its number in it. */
  readonly name: string
  /** `CPU`, `GPU` or `MODEL`, as models are told. */
  readonly kind: string
}

/** The instances of a configuration; one on the CPU where it says nothing. */
export function listInstances(
  modelName: string,
  config: Readonly<Record<string, unknown>>,
): readonly NamedInstance[] {
  const groups = read.objects(config['instance_group'])
  const named = groups.flatMap((group, index) => {
    if (group['passive'] === true) return []
    const groupName = read.text(group['name']) || `${modelName}_${index}`
    const kind = read.text(group['kind']).replace('KIND_', '').replace('AUTO', 'CPU')
    const count = Math.max(1, read.number(group['count']))
    return Array.from({ length: count }, (_, number) => ({ name: `${groupName}_${number}`, kind }))
  })
  return named.length > 0 ? named : [{ name: `${modelName}_0`, kind: 'CPU' }]
}
