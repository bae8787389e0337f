import { createHash } from 'node:crypto'

/**
 * What a model is called at a container: of one content of one target model, so that no other can ever answer by it.
 *
 * Hexadecimal: Triton refuses hyphens. Source: data-plane reference §9.3.
 */
export function modelIdOf(targetModel: string, contentHash: string): string {
  return createHash('sha256').update(`${targetModel}\0${contentHash}`).digest('hex').slice(0, 32)
}
