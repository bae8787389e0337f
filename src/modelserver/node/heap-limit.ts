import { parseInteger } from '../options.ts'
import { StartFailure } from '../start-failure.ts'

// What most handlers never reach. Buffers and what native code holds are outside it.
const HEAP_MB_DEFAULT = 1024

/** The heap that a thread of user code may have. @throws StartFailure `badOptions`: it is out of bounds. */
export function parseHeapMb(environment: Readonly<Record<string, string | undefined>>): number {
  const problems: string[] = []
  const heapMb = parseInteger(
    {
      name: 'BERTH_NODE_HEAP_MB',
      text: environment['BERTH_NODE_HEAP_MB'],
      fallback: HEAP_MB_DEFAULT,
      min: 16,
      max: 65_536,
    },
    problems,
  )
  if (problems.length > 0) throw new StartFailure('badOptions', problems.join('; '))
  return heapMb
}
