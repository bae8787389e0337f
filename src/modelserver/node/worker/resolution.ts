import { registerHooks } from 'node:module'
import type { ResolveFnOutput, ResolveHookContext } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

type Resolve = (specifier: string, context?: Partial<ResolveHookContext>) => ResolveFnOutput

/**
 * Lets user code of this thread import `berth/model`, the packages that were installed for it, and ONNX Runtime.
 *
 * What lies beside the code comes first, then what was installed, then Berth's own ONNX Runtime.
 *
 * @returns paths of the files that have been loaded, in order: one that is no valid program does not tell its name.
 */
export function resolveForUserCode(packagesFolder: string | undefined): readonly string[] {
  const loadedPaths: string[] = []
  registerHooks({
    resolve: (specifier, context, next) => {
      if (specifier === 'berth/model') return { url: authorUrl('model'), shortCircuit: true }
      try {
        return next(specifier, context)
      } catch (error) {
        if (!isMissing(error) || /^[./]|^\w+:/.test(specifier)) throw error
        const found = resolveElsewhere(specifier, next, packagesFolder)
        if (found === undefined) throw error
        return found
      }
    },
    load: (url, context, next) => {
      if (url.startsWith('file:')) loadedPaths.push(fileURLToPath(url))
      return next(url, context)
    },
  })
  return loadedPaths
}

function resolveElsewhere(
  specifier: string,
  next: Resolve,
  packagesFolder: string | undefined,
): ResolveFnOutput | undefined {
  if (packagesFolder !== undefined) {
    const parentURL = pathToFileURL(join(packagesFolder, 'package.json')).href
    try {
      return next(specifier, { parentURL })
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }
  if (specifier !== 'onnxruntime-node') return undefined
  return { url: authorUrl('onnxruntime'), shortCircuit: true }
}

// TypeScript in the source tree, JavaScript in the bundle.
function authorUrl(name: 'model' | 'onnxruntime'): string {
  const extension = fileURLToPath(import.meta.url).endsWith('.ts') ? 'ts' : 'js'
  return new URL(`../author/${name}.${extension}`, import.meta.url).href
}

function isMissing(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND'
}
