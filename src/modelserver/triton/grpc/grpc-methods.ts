import { Buffer } from 'node:buffer'
import { inferOnce } from '../infer-once.ts'
import type { InferenceServer } from '../inference-server.ts'
import { read } from '../json-reader.ts'
import type { LogSettings } from '../log-settings.ts'
import { parseVersion } from '../parse-version.ts'
import { createOverride } from '../model-repository.ts'
import type { LoadOverride } from '../model-repository.ts'
import { ServingError } from '../serving-error.ts'
import { refuseTracing, TRACE_SETTINGS } from '../trace-settings.ts'
import type { GrpcMethods, Message } from './grpc-front.ts'
import { readInferRequest, SHARED_MEMORY_REFUSAL, toInferResponse } from './infer-message.ts'
import { InferStream } from './infer-stream.ts'

/** The methods of the inference service. */
export function createGrpcMethods(server: InferenceServer, logSettings: LogSettings): GrpcMethods {
  return {
    unary: {
      ServerLive: () => ({ live: server.isLive() }),
      ServerReady: () => ({ ready: server.isReady() }),
      ModelReady: async (request) => ({
        ready: await server.isModelReady(nameOf(request), versionOf(request)),
      }),
      ServerMetadata: () => server.metadata(),
      ModelMetadata: (request) => server.modelMetadata(nameOf(request), versionOf(request)),
      ModelConfig: (request) => ({
        config: server.repository.find(nameOf(request), versionOf(request)).config.json,
      }),
      ModelStatistics: (request) => ({
        model_stats: server
          .measured(nameOf(request), versionOf(request))
          .map(({ name, version, statistics }) => statistics.toJson(name, String(version))),
      }),
      ModelInfer: (request, signal) => infer(server, request, signal),
      RepositoryIndex: async (request) => {
        const isReadyOnly = request['ready'] === true
        return { models: await server.index(read.text(request['repository_name']), isReadyOnly) }
      },
      RepositoryModelLoad: async (request) => {
        const repositoryName = read.text(request['repository_name'])
        await server.load(repositoryName, read.text(request['model_name']), overrideOf(request))
        return {}
      },
      RepositoryModelUnload: async (request) => {
        const parameters = read.object(request['parameters'])
        const withDependents = read.object(parameters['unload_dependents'])['bool_param'] === true
        const repositoryName = read.text(request['repository_name'])
        await server.unload(repositoryName, read.text(request['model_name']), withDependents)
        return {}
      },
      TraceSetting: (request) => changeTracing(server, request),
      LogSettings: (request) => changeLog(logSettings, request),
      SystemSharedMemoryStatus: refuseSharedMemory,
      SystemSharedMemoryRegister: refuseSharedMemory,
      SystemSharedMemoryUnregister: refuseSharedMemory,
      CudaSharedMemoryStatus: refuseSharedMemory,
      CudaSharedMemoryRegister: refuseSharedMemory,
      CudaSharedMemoryUnregister: refuseSharedMemory,
    },
    stream: (call) => void new InferStream(server, call),
    isReady: () => !server.isExiting && server.isReady(),
  }
}

function nameOf(request: Message): string {
  return read.text(request['name'])
}

function versionOf(request: Message): number | undefined {
  return parseVersion(read.text(request['version']))
}

async function infer(
  server: InferenceServer,
  request: Message,
  signal: AbortSignal,
): Promise<Message> {
  const message = readInferRequest(request)
  const served = server.repository.find(message.modelName, message.version)
  if (served.config.isDecoupled) {
    throw new ServingError(
      'UNSUPPORTED',
      "ModelInfer RPC doesn't support models with decoupled transaction policy",
    )
  }
  const response = await inferOnce(served, { ...message, signal })
  return toInferResponse(message, served, response)
}

function overrideOf(request: Message): LoadOverride {
  const files = new Map<string, Uint8Array>()
  let config: string | undefined
  for (const [name, value] of Object.entries(read.object(request['parameters']))) {
    const { string_param: text, bytes_param: bytes } = read.object(value)
    if (name === 'config' && typeof text === 'string') config = text
    else if (name.startsWith('file:') && bytes instanceof Uint8Array) {
      files.set(name.slice('file:'.length), Buffer.from(bytes))
    } else throw new ServingError('INVALID_ARG', `unrecognized load parameter '${name}'`)
  }
  return createOverride(config, files)
}

function changeTracing(server: InferenceServer, request: Message): Message {
  const name = read.text(request['model_name'])
  if (name !== '' && server.repository.versionsOf(name).length === 0) {
    throw new ServingError('INVALID_ARG', `Request for unknown model : ${name}`)
  }
  const wanted = Object.entries(read.object(request['settings']))
  refuseTracing(
    Object.fromEntries(wanted.map(([key, value]) => [key, read.object(value)['value'] ?? null])),
  )
  const settings = Object.entries(TRACE_SETTINGS).map(([key, value]) => {
    return [key, { value: typeof value === 'string' ? [value] : value }]
  })
  return { settings: Object.fromEntries(settings) }
}

function changeLog(logSettings: LogSettings, request: Message): Message {
  const wanted = Object.entries(read.object(request['settings'])).map(([name, value]) => {
    const choice = read.object(value)
    return [name, choice[read.text(choice['parameter_choice'])]]
  })
  logSettings.change(Object.fromEntries(wanted))
  const settings = Object.entries(logSettings.current).map(([name, value]) => {
    const field = { boolean: 'bool_param', number: 'uint32_param', string: 'string_param' } as const
    const type = typeof value
    const isKnown = type === 'boolean' || type === 'number' || type === 'string'
    return [name, isKnown ? { [field[type]]: value } : {}]
  })
  return { settings: Object.fromEntries(settings) }
}

function refuseSharedMemory(): never {
  throw new ServingError('UNSUPPORTED', SHARED_MEMORY_REFUSAL)
}
