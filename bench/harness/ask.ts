import { connect } from 'node:net'
import { type Address, connectOptions } from './address.ts'
import { type Response, ResponseReader } from './response-reader.ts'

/** Sends one prepared request over a connection of its own. @throws Error if no answer comes in time. */
export function ask(address: Address, request: Buffer, deadlineMs: number): Promise<Response> {
  return new Promise((settle, fail) => {
    const socket = connect(connectOptions(address))
    const reader = new ResponseReader()
    socket.setTimeout(deadlineMs, () => socket.destroy(new Error('The server did not answer.')))
    socket.once('connect', () => socket.write(request))
    socket.on('data', (bytes: Buffer) => {
      try {
        const response = reader.read(bytes)
        if (response === undefined) return
        settle(response)
        socket.destroy()
      } catch (error) {
        fail(error)
        socket.destroy()
      }
    })
    socket.once('error', fail)
    socket.once('close', () => fail(new Error('The server closed the connection.')))
  })
}

export function bodyOf({ bytes }: Response): string {
  return bytes.toString('utf8', bytes.indexOf('\r\n\r\n') + 4)
}
