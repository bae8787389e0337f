import { fileURLToPath } from 'node:url'

/** The worker beside this file: TypeScript in the source tree, JavaScript in the bundle. */
export function modelHostWorkerUrl(): URL {
  const extension = fileURLToPath(import.meta.url).endsWith('.ts') ? 'ts' : 'js'
  return new URL(`./model-host-worker.${extension}`, import.meta.url)
}
