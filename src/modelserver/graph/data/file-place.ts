import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { FilePlace } from '../../../domain/graph/database.ts'
import { StartFailure } from '../../start-failure.ts'

/** Where files of a graph's databases may be. */
export interface FilePlaces {
  readonly modelDirectory: string
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** The path of a database's file. @throws StartFailure `badOptions`, `modelMissing`: no variable, or no file. */
export function findFile(name: string, place: FilePlace, places: FilePlaces): string {
  const path = pathOf(name, place, places)
  const isFile = statSync(path, { throwIfNoEntry: false })?.isFile() === true
  if (isFile) return path
  const where =
    place.kind === 'model-data' ? `${place.path} of the model data` : `what ${place.name} names`
  throw new StartFailure('modelMissing', `Database ${name}: ${where} is no file.`)
}

function pathOf(
  name: string,
  place: FilePlace,
  { modelDirectory, environment }: FilePlaces,
): string {
  if (place.kind === 'model-data') return join(modelDirectory, place.path)
  const path = environment[place.name]
  if (path !== undefined) return path
  const what = `the container has no variable ${place.name}.`
  throw new StartFailure('badOptions', `Database ${name}: ${what}`)
}
