import type { Container } from '../../domain/model.ts'
import {
  GRAPH_FILE,
  GRAPH_VARIABLE,
  GraphRefusal,
  parseGraph,
} from '../../wire/graph/parse-graph.ts'
import type { OperationContext } from './operation.ts'
import { invalid } from './refusals.ts'

const GRAPH_IMAGE = /^berth\/graph(:|$)/

/**
 * Refuses a container of `berth/graph` whose description is missing or wrong, with line and column: an endpoint of it could
 * only fail later.
 */
export async function refuseWrongGraph(
  { image, environment, modelData }: Container,
  { readModelFile, signal }: OperationContext,
): Promise<void> {
  if (!GRAPH_IMAGE.test(image)) return
  const given = environment[GRAPH_VARIABLE]
  const text = given ?? (modelData && (await readModelFile(modelData, GRAPH_FILE, signal)))
  if (text === undefined) {
    throw invalid(`The model data has no ${GRAPH_FILE}, and ${GRAPH_VARIABLE} is not set.`)
  }
  try {
    parseGraph(text, given === undefined ? GRAPH_FILE : GRAPH_VARIABLE)
  } catch (error) {
    if (error instanceof GraphRefusal) throw invalid(error.message)
    throw error
  }
}
