import { fileURLToPath } from 'node:url'
import { loadSync } from '@grpc/proto-loader'
import type { AnyDefinition, PackageDefinition, ServiceDefinition } from '@grpc/proto-loader'
import { ANY_FORM, decideMessage, INFER_FORM } from './decide-message.ts'
import type { MessageForm } from './decide-message.ts'

/** A service as its file describes it, and everything else in that file. */
export interface Protocol {
  readonly name: string
  readonly service: ServiceDefinition
  readonly definitions: PackageDefinition
}

/** Stands for a request that is no message of its type. */
export const MALFORMED: object = Object.freeze({})
/** Stands for a request with more fields than are decoded. */
export const CROWDED: object = Object.freeze({})

const FORM_BY_METHOD: ReadonlyMap<string, MessageForm> = new Map([
  ['ModelInfer', INFER_FORM],
  ['ModelStreamInfer', INFER_FORM],
])

/** Loads a service from a file beside this one. */
export function loadProtocol(file: string, name: string): Protocol {
  const definitions = loadSync(fileURLToPath(new URL(`./${file}`, import.meta.url)), {
    includeDirs: [fileURLToPath(new URL('.', import.meta.url))],
    keepCase: true,
    // Numbers would lose the last digits of large ones.
    longs: String,
    enums: String,
    oneofs: true,
    arrays: true,
  })
  const service = definitions[name]
  if (service === undefined || !isService(service)) throw new Error(`${file} has no ${name}.`)
  return { name, service: tolerant(service), definitions }
}

// The library would refuse what it cannot parse in words of its own, and decode whatever it can.
function tolerant(service: ServiceDefinition): ServiceDefinition {
  return Object.fromEntries(
    Object.entries(service).map(([name, method]) => {
      const form = FORM_BY_METHOD.get(name) ?? ANY_FORM
      const requestDeserialize = (bytes: Buffer): object => {
        const verdict = decideMessage(bytes, form)
        if (verdict !== 'fine') return verdict === 'crowded' ? CROWDED : MALFORMED
        try {
          return method.requestDeserialize(bytes)
        } catch {
          return MALFORMED
        }
      }
      return [name, { ...method, requestDeserialize }]
    }),
  )
}

function isService(definition: AnyDefinition): definition is ServiceDefinition {
  return !('format' in definition)
}
