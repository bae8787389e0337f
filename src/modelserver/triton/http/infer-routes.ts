import type { InferenceServer } from '../inference-server.ts'
import type { Route } from './http-front.ts'

export function inferRoutes(_server: InferenceServer, _inputBytesMax: number): readonly Route[] {
  return []
}
