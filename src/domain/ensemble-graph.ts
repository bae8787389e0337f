import type { EnsembleStep } from './ensemble.ts'

/** What the rules of an ensemble ask of a tensor. Without the batch dimension; -1 is any size. */
export interface GraphTensor {
  readonly name: string
  readonly datatype: string
  readonly dims: readonly number[]
  readonly isOptional?: boolean
}

/** A model as others see it. */
export interface GraphModel {
  readonly name: string
  readonly maxBatchSize: number
  readonly inputs: readonly GraphTensor[]
  readonly outputs: readonly GraphTensor[]
}

/** An ensemble and the models of its steps, in their order. */
export interface EnsembleGraph extends GraphModel {
  readonly steps: readonly EnsembleStep[]
  readonly models: readonly GraphModel[]
}

/**
 * Finds the first reason why an ensemble cannot run; undefined when it can. The words are Triton's (reference §7.1).
 */
export function findEnsembleProblem(graph: EnsembleGraph): string | undefined {
  return (
    findWriterProblem(graph) ??
    findMappingProblem(graph) ??
    findUseProblem(graph) ??
    findAgreementProblem(graph) ??
    findCycleProblem(graph)
  )
}

function findWriterProblem({ name, inputs, steps }: EnsembleGraph): string | undefined {
  const written = new Set(inputs.map((input) => input.name))
  for (const [index, step] of steps.entries()) {
    for (const tensor of Object.values(step.tensorByOutput)) {
      if (written.has(tensor)) {
        return `ensemble tensor '${tensor}' can appear in an output map only once for ensemble '${name}' step ${index}`
      }
      written.add(tensor)
    }
  }
  return undefined
}

function findMappingProblem(graph: EnsembleGraph): string | undefined {
  const prefix = `in ensemble ${graph.name}, `
  for (const [index, { tensorByInput, tensorByOutput }] of graph.steps.entries()) {
    const model = graph.models[index]
    if (model === undefined) continue
    for (const [input, tensor] of Object.entries(tensorByInput)) {
      if (model.inputs.some((known) => known.name === input)) continue
      return `${prefix}ensemble tensor ${tensor} is mapping to non-existing input ${input} in model ${model.name}`
    }
    for (const [output, tensor] of Object.entries(tensorByOutput)) {
      if (model.outputs.some((known) => known.name === output)) continue
      return `${prefix}ensemble tensor ${tensor} is mapped from non-existing output ${output} in model ${model.name}`
    }
    for (const { name, isOptional } of model.inputs) {
      if (isOptional === true || Object.hasOwn(tensorByInput, name)) continue
      return `${prefix}input ${name} in model ${model.name} is not mapped to any ensemble tensors`
    }
    if (
      graph.maxBatchSize > 0 &&
      model.maxBatchSize > 0 &&
      model.maxBatchSize < graph.maxBatchSize
    ) {
      return (
        `ensemble ${graph.name} allows maximum batch size ${graph.maxBatchSize}, but it contains model ` +
        `${model.name} which only allows maximum batch size to be ${model.maxBatchSize}`
      )
    }
  }
  return undefined
}

function findUseProblem({ name, inputs, outputs, steps }: EnsembleGraph): string | undefined {
  const read = new Set(steps.flatMap((step) => Object.values(step.tensorByInput)))
  const written = new Set(steps.flatMap((step) => Object.values(step.tensorByOutput)))
  const unread = inputs.find((input) => !read.has(input.name))
  if (unread !== undefined)
    return `ensemble input '${unread.name}' for ensemble ${name} is not used`
  const unwritten = outputs.find((output) => !written.has(output.name))
  if (unwritten !== undefined) {
    return `output '${unwritten.name}' for ensemble '${name}' is not written`
  }
  const known = new Set([...inputs, ...outputs].map((port) => port.name))
  const unused = [...written].find((tensor) => !read.has(tensor) && !known.has(tensor))
  if (unused !== undefined) return `ensemble tensor '${unused}' is unused in ensemble '${name}'`
  const unfed = [...read].find((tensor) => !written.has(tensor) && !known.has(tensor))
  if (unfed === undefined) return undefined
  return `ensemble tensor '${unfed}' is not written by any step of ensemble '${name}'`
}

interface Sighting {
  readonly model: string
  readonly datatype: string
  readonly dims: readonly number[]
}

function findAgreementProblem(graph: EnsembleGraph): string | undefined {
  const seen = new Map<string, Sighting>()
  const see = (tensor: string, model: GraphModel, port: GraphTensor): string | undefined => {
    const dims = model.maxBatchSize > 0 ? [-1, ...port.dims] : port.dims
    const sighting = { model: model.name, datatype: port.datatype, dims }
    const before = seen.get(tensor)
    if (before === undefined) seen.set(tensor, sighting)
    else return findDisagreement(graph.name, tensor, before, sighting)
    return undefined
  }
  for (const port of [...graph.inputs, ...graph.outputs]) see(port.name, graph, port)
  for (const [index, { tensorByInput, tensorByOutput }] of graph.steps.entries()) {
    const model = graph.models[index]
    if (model === undefined) continue
    const mapped = [
      ...model.inputs.map((port) => ({ port, tensor: tensorByInput[port.name] })),
      ...model.outputs.map((port) => ({ port, tensor: tensorByOutput[port.name] })),
    ]
    for (const { port, tensor } of mapped) {
      const problem = tensor === undefined ? undefined : see(tensor, model, port)
      if (problem !== undefined) return problem
    }
  }
  return undefined
}

function findDisagreement(
  ensemble: string,
  tensor: string,
  a: Sighting,
  b: Sighting,
): string | undefined {
  const prefix = `in ensemble ${ensemble}, ensemble tensor ${tensor}: inconsistent`
  const between = (one: string, other: string): string =>
    `${one} is inferred from model ${a.model} while ${other} is inferred from model ${b.model}`
  if (a.datatype !== b.datatype) {
    return `${prefix} data type: ${between(`TYPE_${a.datatype}`, `TYPE_${b.datatype}`)}`
  }
  if (agrees(a.dims, b.dims)) return undefined
  return `${prefix} shape: ${between(`[${a.dims.join(',')}]`, `[${b.dims.join(',')}]`)}`
}

// Where one batches and the other does not, its batch dimension comes or goes on the way.
function agrees(a: readonly number[], b: readonly number[]): boolean {
  if (a.length === b.length + 1 && a[0] === -1) return agrees(a.slice(1), b)
  if (b.length === a.length + 1 && b[0] === -1) return agrees(a, b.slice(1))
  return a.length === b.length && a.every((dim, at) => dim === -1 || b[at] === -1 || dim === b[at])
}

function findCycleProblem({ name, inputs, outputs, steps }: EnsembleGraph): string | undefined {
  const available = new Set(inputs.map((input) => input.name))
  const waiting = new Set(steps)
  for (let hasMoved = true; hasMoved;) {
    hasMoved = false
    for (const step of waiting) {
      if (!Object.values(step.tensorByInput).every((tensor) => available.has(tensor))) continue
      for (const tensor of Object.values(step.tensorByOutput)) available.add(tensor)
      waiting.delete(step)
      hasMoved = true
    }
  }
  const unmade = outputs.find((output) => !available.has(output.name))
  if (unmade === undefined) return undefined
  const writer = steps.find((step) => Object.values(step.tensorByOutput).includes(unmade.name))
  const missing = Object.values(writer?.tensorByInput ?? {}).find((one) => !available.has(one))
  return (
    `output '${unmade.name}' for ensemble '${name}' is not written: at least one of its depending tensors, ` +
    `'${missing ?? unmade.name}', is not connected`
  )
}
