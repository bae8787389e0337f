import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { parseArgs } from 'node:util'

import { systemClock } from '../platform/clock.ts'
import { dataPathsOf } from '../platform/data-paths.ts'
import { createLog } from '../platform/log.ts'
import { packageVersion } from '../platform/program.ts'
import { loadCredentials } from './credentials.ts'
import { Gateway } from './gateway.ts'
import { parseLimits } from './limits.ts'

/*
 * Program of one gateway process. Started by `berth up`, outlives it, stops by SIGTERM:
 *
 *   node gateway/main.ts --data-dir DIR [--gateway-id ID] [--host HOST] [--port PORT] [--reuse-port]
 *                        [--limits JSON] [--log-level LEVEL]
 *
 * Secrets come from the credentials file of the data directory, never from the command line. The log goes to standard
 * output. Exit status: 0 after SIGTERM or SIGINT, 1 when it cannot start (the log says why).
 */
const { values } = parseArgs({
  options: {
    'data-dir': { type: 'string' },
    'gateway-id': { type: 'string', default: randomBytes(4).toString('hex') },
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '0' },
    'reuse-port': { type: 'boolean', default: false },
    limits: { type: 'string', default: '{}' },
    'log-level': { type: 'string', default: 'info' },
  },
})
const log = createLog({ level: values['log-level'], fd: 1, process: 'gateway' })

try {
  await run()
} catch (error) {
  log.error({ err: error }, 'gateway not started')
  // Whatever it has opened must not keep it alive.
  process.exit(1)
}

async function run(): Promise<void> {
  const dataDir = values['data-dir']
  if (dataDir === undefined) throw new Error('--data-dir is missing.')
  const paths = dataPathsOf(dataDir)
  mkdirSync(paths.gateways, { recursive: true, mode: 0o700 })
  const gateway = new Gateway({
    gatewayId: values['gateway-id'],
    paths,
    host: values.host,
    port: Number(values.port),
    reusePort: values['reuse-port'],
    programVersion: packageVersion(),
    credentials: loadCredentials(paths.credentials),
    limits: parseLimits(values.limits),
    clock: systemClock,
    random: Math.random,
    log,
  })
  // Before anybody can know of it: whoever does may tell it to stop.
  const signalled = Promise.withResolvers<string>()
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => signalled.resolve(name))
  await gateway.start()
  // Now and not at the end, which may be a SIGKILL: the next gateway starts from it.
  flushCompileCache()
  const orphaned = gateway.orphaned.then(() => 'orphaned')
  const reason = await Promise.race([signalled.promise, orphaned])
  log.info({ reason }, 'stopping')
  await gateway.stop()
  log.info({}, 'stopped')
}
