import type { Database, FeaturesNode, LookupNode } from './database.ts'

/** What is wrong with how a node uses its database, and the key of the node that says so. */
export interface DatabaseProblem {
  readonly key: 'database' | 'parameters' | 'missing'
  readonly message: string
}

/** Looks at one look-up beside the databases of its graph; undefined when it fits. Pure. */
export function findDatabaseProblem(
  node: LookupNode | FeaturesNode,
  databaseByName: ReadonlyMap<string, Database>,
): DatabaseProblem | undefined {
  const { database: name } = node
  const database = databaseByName.get(name)
  if (database === undefined) {
    const known = [...databaseByName.keys()].join(', ')
    const which = known === '' ? 'The graph has no databases.' : `Databases: ${known}.`
    return { key: 'database', message: `There is no database ${name}. ${which}` }
  }
  const isTable = database.kind === 'features'
  if (node.kind === 'features') {
    if (!isTable) return otherKind(name, 'is no table of features; a lookup node reads it')
    if (node.defaults === undefined || node.missing === undefined) return undefined
    return { key: 'missing', message: 'With defaults no key is refused: leave one of them out.' }
  }
  if (isTable) return otherKind(name, 'is a table of features; a features node reads it')
  if (node.missing !== undefined && node.rows !== 'one') {
    const message = `missing goes with rows one, not with rows ${node.rows}.`
    return { key: 'missing', message }
  }
  return findParameterProblem(node)
}

function otherKind(name: string, why: string): DatabaseProblem {
  return { key: 'database', message: `Database ${name} ${why}.` }
}

// What stands in quotes or comments is no parameter.
const NO_CODE =
  /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[^]*?\*\/|\$([A-Za-z_]\w*)?\$[^]*?\$\1\$/g

function findParameterProblem({ query, parameters }: LookupNode): DatabaseProblem | undefined {
  const code = query.replaceAll(NO_CODE, ' ')
  const numbers = new Set([...code.matchAll(/\$(\d+)/g)].map(([, digits]) => Number(digits)))
  const missing = [...numbers].find((number) => number < 1 || number > parameters.length)
  if (missing !== undefined) {
    const message = `The query has $${missing}; there are ${parameters.length} parameters.`
    return { key: 'parameters', message }
  }
  const unused = parameters.findIndex((_, index) => !numbers.has(index + 1))
  if (unused < 0) return undefined
  return { key: 'parameters', message: `The query does not use parameter $${unused + 1}.` }
}
