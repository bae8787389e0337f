import { BerthError } from '../domain/errors.ts'
import { STS_NAMESPACE, type WireReply } from './errors.ts'
import { encodeXml, type XmlElements } from './xml-text.ts'

/** A parsed `application/x-www-form-urlencoded` request of a Query service. */
export interface QueryRequest {
  readonly action: string
  readonly version: string | undefined
  /** Parameters by name, lists as arrays: `Tags.member.1.Key=a` is `{ Tags: [{ Key: 'a' }] }`. */
  readonly parameters: QueryNode
}

/** A structure of a Query request. */
export interface QueryNode {
  readonly [name: string]: QueryValue | undefined
}

/** A member of a Query request. */
export type QueryValue = string | QueryNode | readonly QueryValue[]

// More parameters or deeper names than any operation has; each would cost memory before anything is refused.
const PARAMETERS_MAX = 1000
const DEPTH_MAX = 10

interface Branch {
  readonly children: Map<string, Branch>
  text: string | undefined
}

/**
 * Parses a Query request.
 *
 * @throws BerthError `InvalidAction`: no Action, or more than one.
 * @throws BerthError `SerializationException`: too many parameters, or one name twice.
 */
export function parseQueryRequest(body: Uint8Array): QueryRequest {
  const root: Branch = { children: new Map(), text: undefined }
  const pairs = [...new URLSearchParams(Buffer.from(body).toString('utf8'))]
  if (pairs.length > PARAMETERS_MAX) throw malformed(`more than ${PARAMETERS_MAX} parameters`)
  const actions = pairs.filter(([name]) => name === 'Action')
  const action = actions[0]?.[1]
  if (action === undefined || action === '' || actions.length > 1) {
    throw new BerthError('InvalidAction', 'The request must have one Action parameter.')
  }
  for (const [name, value] of pairs) grow(root, name, value)
  const { Action: _, Version: version, ...parameters } = toNode(root)
  return { action, version: typeof version === 'string' ? version : undefined, parameters }
}

/** Encodes a reply: `<XResponse><XResult>…</XResult><ResponseMetadata>…`. */
export function encodeQueryReply(
  action: string,
  result: XmlElements,
  requestId: string,
): WireReply {
  const content = encodeXml({
    [`${action}Result`]: result,
    ResponseMetadata: { RequestId: requestId },
  })
  return {
    status: 200,
    headers: { 'Content-Type': 'text/xml', 'x-amzn-RequestId': requestId },
    body: `<${action}Response xmlns="${STS_NAMESPACE}">${content}</${action}Response>`,
  }
}

function grow(root: Branch, name: string, value: string): void {
  const steps = name.split('.')
  if (steps.length > DEPTH_MAX) throw malformed(`parameter ${name.slice(0, 100)} is too deep`)
  let branch = root
  for (const step of steps) {
    let next = branch.children.get(step)
    if (next === undefined) {
      next = { children: new Map(), text: undefined }
      branch.children.set(step, next)
    }
    branch = next
  }
  if (branch.text !== undefined) throw malformed(`parameter ${name} is given twice`)
  branch.text = value
}

function toNode(branch: Branch): QueryNode {
  return Object.fromEntries(
    [...branch.children].flatMap(([name, child]) => {
      const value = toValue(child)
      return value === undefined ? [] : [[name, value]]
    }),
  )
}

// A list is a structure whose only child is `member`, numbered from 1. An empty list is sent as `Tags=`: that stays
// an empty text here, because only the operation knows which of the two it is.
function toValue(branch: Branch): QueryValue | undefined {
  if (branch.children.size === 0) return branch.text
  const member = branch.children.get('member')
  if (member === undefined || branch.children.size > 1) return toNode(branch)
  const numbered = [...member.children].filter(([index]) => /^[1-9]\d{0,5}$/.test(index))
  return numbered
    .toSorted(([a], [b]) => Number(a) - Number(b))
    .flatMap(([, child]) => toValue(child) ?? [])
}

function malformed(reason: string): BerthError {
  return new BerthError('SerializationException', `The query string is malformed: ${reason}.`)
}
