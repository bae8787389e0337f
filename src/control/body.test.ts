import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
import { describe, test } from 'node:test'
import { readBody } from './body.ts'

function aRequest(headers: Record<string, string> = {}): PassThrough & IncomingMessage {
  return Object.assign(new PassThrough(), { headers }) as never
}

const patient = new AbortController().signal

describe('readBody', () => {
  test('gives the whole body, however it is cut', async () => {
    const request = aRequest()
    const body = readBody(request, { bytesMax: 10, signal: patient })
    request.write('01234')
    request.end('56789')
    assert.equal((await body).toString(), '0123456789')
  })

  test('refuses what says that it is too large before any of it arrives', async () => {
    const request = aRequest({ 'content-length': '11' })
    const body = readBody(request, { bytesMax: 10, signal: patient })
    await assert.rejects(body, { code: 'RequestEntityTooLargeException' })
  })

  test('refuses what becomes too large, and lets the rest flow away', async () => {
    const request = aRequest()
    const body = readBody(request, { bytesMax: 10, signal: patient })
    request.write('x'.repeat(11))
    await assert.rejects(body, { code: 'RequestEntityTooLargeException' })
    request.write('x'.repeat(1_000_000))
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(request.readableLength, 0)
  })

  test('gives up on a client that is too slow, and on one that goes', async () => {
    const slow = new AbortController()
    const body = readBody(aRequest(), { bytesMax: 10, signal: slow.signal })
    slow.abort()
    await assert.rejects(body, { code: 'RequestTimeout' })

    const request = aRequest()
    const cut = readBody(request, { bytesMax: 10, signal: patient })
    request.destroy()
    await assert.rejects(cut, /the client went away/)
  })
})
