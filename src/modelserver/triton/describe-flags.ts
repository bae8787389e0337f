import { FLAGS } from './flags.ts'

interface Flag {
  readonly default?: string
  readonly isBare?: boolean
  readonly refusal?: string
}

/** What `--help` prints: the flags that are followed with their defaults, then those that are refused with the reason. */
export function describeFlags(): string {
  const flags: [name: string, flag: Flag][] = Object.entries(FLAGS)
  const followed = flags
    .filter(([, { refusal }]) => refusal === undefined)
    .map(([name, flag]) => `  --${name}${exampleOf(flag)}`)
  const reasons = new Map<string, string[]>()
  for (const [name, { refusal }] of flags) {
    if (refusal === undefined) continue
    reasons.set(refusal, [...(reasons.get(refusal) ?? []), `    --${name}`])
  }
  const refused = [...reasons].flatMap(([reason, names]) => [`  ${reason}:`, ...names])
  return [
    '',
    'Flags, with what they are when they are not given:',
    ...followed,
    '',
    'Flags of tritonserver that are refused:',
    ...refused,
    '',
  ].join('\n')
}

function exampleOf({ default: value, isBare }: Flag): string {
  if (isBare === true) return ''
  return value === undefined || value === '' ? ' VALUE' : `=${value}`
}
