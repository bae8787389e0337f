import { IMAGE_NEEDS } from '../deploy/choose-image.ts'
import { error, ok } from './finding.ts'
import type { Finding } from './finding.ts'

/** Whether this version of Berth can run an image, and what else it would take. */
export function describeImage(image: string): Finding[] {
  const [name] = image.split(/[:@]/)
  const found = Object.entries(IMAGE_NEEDS).find(([builtIn]) => builtIn === name)
  if (found !== undefined) return [ok(image, `Built in. It serves ${found[1]}.`)]
  const available = `Built in are ${Object.keys(IMAGE_NEEDS).join(', ')}.`
  const message =
    name?.startsWith('berth/') === true
      ? 'This version has no such built-in image.'
      : 'This version runs built-in images only: it cannot pull and run a container image.'
  return [error(image, message, available)]
}
