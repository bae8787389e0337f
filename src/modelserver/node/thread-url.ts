import { fileURLToPath } from 'node:url'

/** A program of `worker/`: TypeScript in the source tree, JavaScript in the bundle. */
export function threadUrl(name: 'sagemaker-thread' | 'tensor-thread'): URL {
  const extension = fileURLToPath(import.meta.url).endsWith('.ts') ? 'ts' : 'js'
  return new URL(`./worker/${name}.${extension}`, import.meta.url)
}
