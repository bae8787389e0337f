// The suites of the gateway once more with node's HTTP server reading every request.
process.env['BERTH_TEST_FRONT'] = 'node'

await import('./gateway-auth.test.ts')
await import('./gateway-edge.test.ts')
await import('./gateway-invoke.test.ts')
await import('./gateway-stream.test.ts')
