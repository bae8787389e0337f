import { createServer } from 'node:net'

/**
 * A port of the host that can be listened on: the wanted one, or a free one for 0.
 *
 * @throws Error in words when the wanted port is taken or may not be used.
 */
export async function findFreePort(host: string, wanted: number): Promise<number> {
  const server = createServer()
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(wanted, host, resolve)
    })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    throw new Error(`Port ${wanted} on ${host} cannot be listened on (${code}): ${cureOf(code)}`, {
      cause: error,
    })
  }
  const address = server.address()
  await new Promise<void>((resolve) => server.close(() => resolve()))
  return typeof address === 'object' && address !== null ? address.port : wanted
}

function cureOf(code: string): string {
  switch (code) {
    case 'EADDRINUSE':
      return 'another program has it; choose one with --port, or 0 for a free one.'
    case 'EACCES':
      return 'ports below 1024 need privileges; choose another with --port.'
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return 'this machine has no such address; choose another with --host.'
    default:
      return 'choose another with --host and --port.'
  }
}
