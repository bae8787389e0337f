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
  const start = bytes.indexOf('\r\n\r\n') + 4
  const isChunked = /\r\ntransfer-encoding: *chunked/i.test(bytes.toString('latin1', 0, start))
  return (isChunked ? joinChunks(bytes.subarray(start)) : bytes.subarray(start)).toString()
}

function joinChunks(bytes: Buffer): Buffer {
  const chunks: Buffer[] = []
  for (let at = 0; ;) {
    const lineEnd = bytes.indexOf('\r\n', at)
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16)
    if (!(size > 0)) return Buffer.concat(chunks)
    chunks.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size))
    at = lineEnd + 2 + size + 2
  }
}
