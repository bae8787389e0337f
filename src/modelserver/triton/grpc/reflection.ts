import { status } from '@grpc/grpc-js'
import type { AnyDefinition, EnumTypeDefinition, MessageTypeDefinition } from '@grpc/proto-loader'
import { read } from '../json-reader.ts'
import type { Message } from './call-forms.ts'
import type { Protocol } from './load-protocol.ts'

type TypeDefinition = EnumTypeDefinition | MessageTypeDefinition<object, object>

interface Described {
  readonly service: string
  readonly fileNames: readonly string[]
  /** Descriptors of files, each after those that it needs. */
  readonly files: readonly Uint8Array[]
  /** Full names of its services, methods, messages and enumerations. */
  readonly symbols: ReadonlySet<string>
}

/** Answers what clients such as `grpcurl` ask of a server whose protocols they do not have. */
export class Reflection {
  readonly #protocols: readonly Described[]

  constructor(protocols: readonly Protocol[]) {
    this.#protocols = protocols.map(describe)
  }

  answer(request: Message): Message {
    const asked = read.text(request['message_request'])
    const value = read.text(request[asked])
    return {
      valid_host: read.text(request['host']),
      original_request: request,
      ...this.#find(asked, value),
    }
  }

  #find(asked: string, value: string): Message {
    switch (asked) {
      case 'list_services': {
        const service = this.#protocols.map((protocol) => ({ name: protocol.service }))
        return { list_services_response: { service } }
      }
      case 'file_by_filename':
        return toFiles(this.#protocols.find(({ fileNames }) => fileNames.includes(value)))
      case 'file_containing_symbol':
        return toFiles(this.#protocols.find(({ symbols }) => symbols.has(value)))
      case 'all_extension_numbers_of_type': {
        if (!this.#protocols.some(({ symbols }) => symbols.has(value))) return NOT_FOUND
        const none = { base_type_name: value, extension_number: [] }
        return { all_extension_numbers_response: none }
      }
      default:
        return NOT_FOUND
    }
  }
}

const NOT_FOUND: Message = {
  error_response: { error_code: status.NOT_FOUND, error_message: 'not found' },
}

function toFiles(found: Described | undefined): Message {
  if (found === undefined) return NOT_FOUND
  return { file_descriptor_response: { file_descriptor_proto: found.files } }
}

function describe({ name, service, definitions }: Protocol): Described {
  const symbols = [
    ...Object.keys(definitions),
    ...Object.keys(service).map((method) => `${name}.${method}`),
  ]
  const files = Object.values(definitions).find(isType)?.fileDescriptorProtos ?? []
  return { service: name, fileNames: files.map(nameOf), files, symbols: new Set(symbols) }
}

function isType(definition: AnyDefinition): definition is TypeDefinition {
  return 'format' in definition
}

// The name of a file is the first field of its descriptor, and short.
function nameOf(descriptor: Uint8Array): string {
  return Buffer.from(descriptor.subarray(2, 2 + (descriptor[1] ?? 0))).toString('utf8')
}
