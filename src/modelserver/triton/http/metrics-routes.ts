import type { InferenceServer } from '../inference-server.ts'
import { CpuMeter, encodeMetrics } from '../metrics.ts'
import type { Route } from './http-front.ts'

/** The one route of the metrics port. */
export function metricsRoutes(server: InferenceServer): readonly Route[] {
  const meter = new CpuMeter()
  return [
    {
      methods: ['GET'],
      pattern: /^\/metrics$/,
      run: () => ({
        status: 200,
        headers: { 'content-type': 'text/plain; charset=utf-8' },
        body: encodeMetrics(server.repository.ready, meter.read()) + server.encodeCustomMetrics(),
      }),
    },
  ]
}
