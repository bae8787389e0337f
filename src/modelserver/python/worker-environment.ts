import { dirname } from 'node:path'
import { withoutMarked } from '../user-code/user-settings.ts'

/** What user code sees. */
export function workerEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  { python, threadCount }: { readonly python: string; readonly threadCount: number },
): Readonly<Record<string, string>> {
  return {
    // Each worker computes one call: more threads than its share of the processors only get in each other's way.
    OMP_NUM_THREADS: String(threadCount),
    ...withoutMarked(env),
    // Programs that packages bring.
    PATH: `${dirname(python)}:${env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin'}`,
    PYTHONNOUSERSITE: '1',
  }
}
