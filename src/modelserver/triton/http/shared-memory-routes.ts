import { Buffer } from 'node:buffer'
import { parseJson } from '../../../wire/oip/json.ts'
import { findMember } from '../../../wire/oip/json-members.ts'
import type { JsonValue } from '../../../wire/oip/json.ts'
import { ServingError } from '../serving-error.ts'
import { findCudaRegions, refuseCudaRegion } from '../shared-memory/cuda-regions.ts'
import type { SharedRegions } from '../shared-memory/shared-regions.ts'
import { emptyJsonReply, jsonReply } from './http-call.ts'
import type { HttpCall, HttpReply } from './http-call.ts'
import type { Route } from './http-front.ts'
import { stringValue, unsignedValue } from './json-body.ts'

const ACTIONS = {
  status: 'GET',
  register: 'POST',
  unregister: 'POST',
} as const

type Kind = 'system' | 'cuda'

/** The shared memory extensions: status, register and unregister of both kinds. */
export function sharedMemoryRoutes(regions: SharedRegions): readonly Route[] {
  return (['system', 'cuda'] as const).flatMap((kind) =>
    Object.entries(ACTIONS).map(([action, method]): Route => {
      const pattern = new RegExp(`^/v2/${kind}sharedmemory(?:/region/(?<region>[^/]+))?/${action}$`)
      const run = (call: HttpCall): HttpReply => {
        regions.refuseIfDisabled()
        const name = call.parts['region'] ?? ''
        if (action === 'status') return jsonReply(statusesOf(regions, kind, name))
        if (action === 'register') register(regions, kind, { name, body: call.body })
        else if (kind === 'system') regions.unregister(name)
        return emptyJsonReply()
      }
      return { methods: [method], pattern, run }
    }),
  )
}

function statusesOf(regions: SharedRegions, kind: Kind, name: string) {
  return kind === 'system' ? regions.statuses(name) : findCudaRegions(name)
}

interface Registration {
  readonly name: string
  readonly body: Uint8Array
}

function register(regions: SharedRegions, kind: Kind, { name, body }: Registration): void {
  if (name === '') {
    const message = `'region name' is necessary to register ${kind} shared memory region`
    throw new ServingError('INVALID_ARG', message)
  }
  const json = parseJson(body)
  if (kind === 'cuda') return refuseCudaRegion(handleOf(json))
  const offset = findMember(json, 'offset')
  regions.register({
    name,
    offset: offset === undefined ? 0 : Number(unsignedValue(offset)),
    key: stringValue(fieldOf(json, 'key')),
    byte_size: Number(unsignedValue(fieldOf(json, 'byte_size'))),
  })
}

function handleOf(json: JsonValue): Uint8Array {
  const base64 = findMember(fieldOf(json, 'raw_handle'), 'b64')
  if (base64 === undefined) {
    throw new ServingError('INTERNAL', "attempt to access non-existing object member 'b64'")
  }
  fieldOf(json, 'byte_size')
  return Buffer.from(stringValue(base64), 'base64')
}

function fieldOf(json: JsonValue, name: string): JsonValue {
  const value = findMember(json, name)
  if (value !== undefined) return value
  throw new ServingError('INVALID_ARG', `Shared memory register request has no '${name}' field`)
}
