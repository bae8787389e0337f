import { chmodSync, rmSync } from 'node:fs'
import type { Server } from 'node:net'

/**
 * Listens on a Unix socket that only this user may open. A socket file that a dead process left there is replaced.
 *
 * @throws Error of the system when the path cannot be listened on.
 */
export async function listenOnSocket(server: Server, socketPath: string): Promise<void> {
  rmSync(socketPath, { force: true })
  const listening = Promise.withResolvers<void>()
  server.once('error', listening.reject)
  server.listen(socketPath, listening.resolve)
  await listening.promise
  server.removeListener('error', listening.reject)
  chmodSync(socketPath, 0o600)
}
