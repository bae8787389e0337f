import { Buffer } from 'node:buffer'
import { inferOnce } from '../infer-once.ts'
import { read } from '../json-reader.ts'
import type { LogSettings } from '../log-settings.ts'
import { parseVersion } from '../parse-version.ts'
import { createOverride } from '../load-override.ts'
import type { LoadOverride } from '../load-override.ts'
import { ServingError } from '../serving-error.ts'
import { SharedOutputs } from '../shared-memory/shared-outputs.ts'
import type { Message, UnaryCall } from './call-forms.ts'
import type { GrpcMethods } from './grpc-front.ts'
import { recordSent, sampleGrpc } from './grpc-trace.ts'
import { readInferRequest, toInferResponse } from './infer-message.ts'
import { InferStream } from './infer-stream.ts'
import type { InferServices } from './infer-stream.ts'
import { changeLog, changeTracing } from './settings-methods.ts'
import { sharedMemoryMethods } from './shared-memory-methods.ts'

/** What the methods are in front of. */
export interface GrpcServices extends InferServices {
  readonly logSettings: LogSettings
}

/** The methods of the inference service. */
export function createGrpcMethods(services: GrpcServices): GrpcMethods {
  const { server, regions } = services
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
      ModelInfer: (request, call) => infer(services, request, call),
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
      TraceSetting: (request) => changeTracing(services, request),
      LogSettings: (request) => changeLog(services.logSettings, request),
      ...sharedMemoryMethods(regions),
    },
    stream: (call) => new InferStream(services, call),
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
  { server, regions, tracing }: GrpcServices,
  request: Message,
  { signal, receivedNs, onSent }: UnaryCall,
): Promise<Message> {
  const message = readInferRequest(request, regions)
  const served = server.repository.find(message.modelName, message.version)
  if (served.config.isDecoupled) {
    throw new ServingError(
      'UNSUPPORTED',
      "ModelInfer RPC doesn't support models with decoupled transaction policy",
    )
  }
  using shared = new SharedOutputs(regions, message.sharedOutputs)
  const trace = sampleGrpc(tracing, served, receivedNs)
  try {
    const response = await inferOnce(served, { ...message, signal, trace })
    shared.write(response.outputs)
    const reply = toInferResponse(message, served, response)
    trace?.hold()
    onSent((startNs, endNs) => {
      recordSent(trace, startNs, endNs)
      trace?.release()
    })
    return reply
  } finally {
    trace?.release()
  }
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
