import { fileURLToPath } from 'node:url'

/** The thread beside this file: TypeScript in the source tree, JavaScript in the bundle. */
export function sqliteThreadUrl(): URL {
  const extension = fileURLToPath(import.meta.url).endsWith('.ts') ? 'ts' : 'js'
  return new URL(`./sqlite-thread.${extension}`, import.meta.url)
}
