import { fileURLToPath } from 'node:url'

/** Python's entry file; `scripts/build.ts` copies its folder, so that it is in the same place below `dist/`. */
export function workerProgramPath(): string {
  return fileURLToPath(new URL('./worker/worker.py', import.meta.url))
}
