import type { Report } from '../../domain/graph/graph.ts'
import { isObject } from '../../domain/graph/aggregate/answers.ts'
import type { JsonObject } from '../../domain/json.ts'
import type { Reply } from '../image.ts'
import type { Document } from './document.ts'
import type { BranchReport } from './run.ts'

const ATTRIBUTES_HEADER = 'x-amzn-sagemaker-custom-attributes'
// Source: InvokeEndpoint, CustomAttributes: at most 1024 characters of ASCII.
const HEADER_CHARACTERS_MAX = 1024
const REASON_CHARACTERS_MAX = 120

/**
 * The reply of a graph: its answer, and how its branches went where the description wants it told.
 *
 * In the header `X-Amzn-SageMaker-Custom-Attributes`, which clients show as CustomAttributes:
 * `{"graph":{"ms":{"tree":1.2},"missing":{"boost":"no answer within 50 ms"}}}`.
 */
export function replyOf(
  answer: Document,
  branches: readonly BranchReport[],
  report: Report,
): Reply {
  const headers = { 'content-type': answer.contentType }
  if (report === 'none' || branches.length === 0)
    return { status: 200, headers, body: answer.bytes }
  const graph = summarise(branches)
  if (report === 'header') {
    const named = { ...headers, [ATTRIBUTES_HEADER]: encodeHeader(graph) }
    return { status: 200, headers: named, body: answer.bytes }
  }
  const body = isObject(answer.value) ? { ...answer.value, graph } : { answer: answer.value, graph }
  return { status: 200, headers, body: Buffer.from(JSON.stringify(body)) }
}

/**
 * Latencies of the branches, the rows that steps of cascades were asked about, and why some are not in the answer. What was asked
 * several times, for the items of a list, counts with its slowest time and all its rows.
 */
export function summarise(branches: readonly BranchReport[]): JsonObject {
  const ms: Record<string, number> = {}
  const rows: Record<string, number> = {}
  for (const { branch, tookMs, rowCount } of branches) {
    ms[branch] = Math.max(ms[branch] ?? 0, Math.round(tookMs * 100) / 100)
    if (rowCount !== undefined) rows[branch] = (rows[branch] ?? 0) + rowCount
  }
  const missing = branches.flatMap(({ branch, missing: why }) => {
    return why === undefined ? [] : [[branch, why.slice(0, REASON_CHARACTERS_MAX)]]
  })
  return {
    ms,
    ...(Object.keys(rows).length > 0 && { rows }),
    ...(missing.length > 0 && { missing: Object.fromEntries(missing) }),
  }
}

// What is missing matters more than how long the others took, that it is missing more than why.
function encodeHeader(graph: JsonObject): string {
  const { missing = {} } = graph
  const names = Object.keys(Object(missing))
  for (const told of [graph, { missing }, { missing: names }]) {
    const text = JSON.stringify({ graph: told }).replaceAll(/[^ -~]/g, '?')
    if (text.length <= HEADER_CHARACTERS_MAX) return text
  }
  return JSON.stringify({ graph: { missingCount: names.length } })
}
