import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Writes the licences of all packages that were bundled: their terms ask for it. */
export function writeNotices(inputs: readonly string[], root: string, target: string): void {
  const folders = new Set(inputs.flatMap((path) => packageFolder(path) ?? []))
  const notices = [...folders].toSorted().map((folder) => noticeOf(join(root, folder)))
  writeFileSync(target, notices.join(`\n${'-'.repeat(80)}\n\n`))
}

function packageFolder(path: string): string | undefined {
  return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]
}

function noticeOf(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice)/i.test(file))
  const texts = files.toSorted().map((file) => readFileSync(join(folder, file), 'utf8').trim())
  const text = texts.length > 0 ? texts.join('\n\n') : `Licence: ${String(license)}`
  if (license === undefined && texts.length === 0) throw new Error(`${name} names no licence`)
  return `${name} ${version}\n\n${text}\n`
}
