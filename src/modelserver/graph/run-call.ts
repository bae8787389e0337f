import type { CallNode } from '../../domain/graph/graph.ts'
import { Document } from './document.ts'
import { evaluateIn } from './evaluate-in.ts'
import { NodeFailure } from './node-failure.ts'
import type { Run, Scope } from './run.ts'

/** Asks a model. @throws NodeFailure */
export async function runCall(
  { name, step }: { readonly name: string; readonly step: CallNode },
  input: Document,
  run: Run,
  scope: Scope,
): Promise<Document> {
  const { target, contentType, accept, request, result } = step
  const asked =
    request === undefined ? input : Document.ofValue(evaluateIn(request, input, run, scope))
  const headers: Record<string, string> = {
    ...run.passedHeaders,
    'content-type': contentType ?? asked.contentType,
    accept: accept ?? 'application/json',
  }
  const targetModel = chooseTargetModel(step, input, run, scope)
  if (targetModel !== undefined) headers['x-amzn-sagemaker-target-model'] = targetModel
  if (target.kind === 'endpoint' && target.variant !== undefined) {
    headers['x-amzn-sagemaker-target-variant'] = target.variant
  }
  const call = run.machinery.callerOf(target)
  const toCall = { headers, body: asked.bytes, depth: run.depth }
  const guard = run.machinery.guardOf(name)
  const reply =
    guard === undefined
      ? await call(toCall, scope.signal)
      : await guard.send(
          `${target.kind} ${target.name}`,
          (signal) => call(toCall, signal),
          scope.signal,
        )
  const type = reply.headers['content-type']
  const answer = Document.ofBytes(typeof type === 'string' ? type : undefined, reply.body)
  return result === undefined ? answer : Document.ofValue(evaluateIn(result, answer, run, scope))
}

function chooseTargetModel(
  { targetModel }: CallNode,
  input: Document,
  run: Run,
  scope: Scope,
): string | undefined {
  if (targetModel?.kind !== 'expression') return targetModel?.name
  const name = evaluateIn(targetModel.expression, input, run, scope)
  if (typeof name === 'string' && name !== '') return name
  throw new NodeFailure(`targetModelFrom gives ${JSON.stringify(name)}; a name is needed.`, 400)
}
