import { unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import type { Server } from 'node:net'
import type { Address } from './options.ts'
import { StartFailure } from './start-failure.ts'

/**
 * Starts listening. A socket file that a killed predecessor left is replaced; one that answers is not.
 *
 * @throws StartFailure `cannotListen`: the address is in use, too long or not allowed.
 */
export async function listen(server: Server, address: Address): Promise<void> {
  const name = 'port' in address ? `port ${address.port}` : address.socketPath
  try {
    if ('socketPath' in address && !(await isAnswered(address.socketPath))) {
      await unlink(address.socketPath).catch(() => undefined)
    }
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      const options =
        'port' in address ? { port: address.port, host: '127.0.0.1' } : { path: address.socketPath }
      server.listen(options, resolve)
    })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new StartFailure('cannotListen', `cannot listen on ${name}: ${reason}`)
  }
}

function isAnswered(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
