import schemas from './generated/sagemaker-schemas.json' with { type: 'json' }

interface OperationShapes {
  readonly input: string
  readonly output: string | null
}

const OFFERED: Readonly<Record<string, OperationShapes>> = schemas.operations
const NOT_OFFERED: ReadonlySet<string> = new Set(schemas.notOffered)

/** Whether SageMaker has the operation and whether Berth answers it. Names are case-sensitive. */
export function findOperation(name: string): 'offered' | 'not-offered' | 'unknown' {
  if (Object.hasOwn(OFFERED, name)) return 'offered'
  return NOT_OFFERED.has(name) ? 'not-offered' : 'unknown'
}

/** Names of the operations that Berth answers, sorted. */
export function listOfferedOperations(): readonly string[] {
  return Object.keys(OFFERED)
}

/** The shapes of an operation that is offered. */
export function operationShapes(name: string): OperationShapes {
  const shapes = Object.hasOwn(OFFERED, name) ? OFFERED[name] : undefined
  if (shapes === undefined) throw new Error(`no shapes for operation ${name}`)
  return shapes
}
