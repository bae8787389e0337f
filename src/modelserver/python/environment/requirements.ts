import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Interpreter } from './interpreter.ts'

/** What an environment is to have. */
export interface Requirements {
  /** Lines of a requirements file that the image stands for. */
  readonly packages: readonly string[]
  /** The model's own file, if it has one. */
  readonly file: RequirementsFile | undefined
}

/** A requirements file and its text. */
export interface RequirementsFile {
  readonly path: string
  /** As people know it. */
  readonly name: string
  readonly text: string
}

/** The first of the folders' `requirements.txt`, if one says anything. */
export async function findRequirements(
  folders: readonly string[],
  modelDirectory: string,
): Promise<RequirementsFile | undefined> {
  for (const folder of folders) {
    const path = join(folder, 'requirements.txt')
    const text = await readFile(path, 'utf8').catch(() => undefined)
    if (text === undefined) continue
    const name = path.startsWith(modelDirectory) ? path.slice(modelDirectory.length + 1) : path
    return meansSomething(text) ? { path, name, text } : undefined
  }
  return undefined
}

/**
 * Names an environment by all that decides what is in it. Equal requirements of two models are one environment, unless
 * they point to files beside them.
 */
export function environmentKey(
  { path, version }: Interpreter,
  parentFolders: readonly string[],
  { packages, file }: Requirements,
): string {
  const lines = file === undefined ? [] : linesOf(file.text)
  const place = file !== undefined && lines.some(pointsToFile) ? dirname(file.path) : ''
  const parts = [path, version, parentFolders, packages, lines, place]
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 24)
}

function meansSomething(text: string): boolean {
  return linesOf(text).length > 0
}

function linesOf(text: string): readonly string[] {
  const lines = text.split('\n').map((line) => line.replace(/(^|\s)#.*$/, '').trim())
  return lines.filter((line) => line !== '')
}

function pointsToFile(line: string): boolean {
  return (
    /^(-r|-c|-e|--requirement|--constraint|--find-links|-f|\.|\/|file:)/.test(line) ||
    / @ file:/.test(line)
  )
}
