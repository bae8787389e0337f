import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EventStreamCodec } from '@smithy/eventstream-codec'
import fc from 'fast-check'
import {
  encodeInternalStreamFailure,
  encodeModelStreamError,
  encodePayloadPart,
} from './event-stream.ts'

const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes).toString('utf8'),
  (text) => Buffer.from(text, 'utf8'),
)

describe('event stream frames', () => {
  it('encode a payload part to the recorded bytes', () => {
    assert.equal(
      encodePayloadPart(Buffer.from('hello')).toString('hex'),
      '0000006e000000595197ff150d3a6d6573736167652d747970650700056576656e740b3a6576656e742d7479706507000b5061796c6f6164506172740d3a636f6e74656e742d747970650700186170706c69636174696f6e2f6f637465742d73747265616d68656c6c6f36028f02',
    )
  })

  it('encode a model stream error to the recorded bytes', () => {
    assert.equal(
      encodeModelStreamError('StreamBroken', 'boom').toString('hex'),
      '0000009b0000005e4f27b59b0d3a6d6573736167652d74797065070009657863657074696f6e0f3a657863657074696f6e2d747970650700104d6f64656c53747265616d4572726f720d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e7b224572726f72436f6465223a2253747265616d42726f6b656e222c224d657373616765223a22626f6f6d227d856c87fc',
    )
  })

  it('encode a failure of the platform as its own exception', () => {
    const { headers, body } = codec.decode(encodeInternalStreamFailure('später'))
    assert.equal(headers[':exception-type']?.value, 'InternalStreamFailure')
    assert.deepEqual(JSON.parse(Buffer.from(body).toString()), { Message: 'später' })
  })

  it('are read by the SDK whatever the payload', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const { headers, body } = codec.decode(encodePayloadPart(bytes))
        assert.equal(headers[':event-type']?.value, 'PayloadPart')
        assert.deepEqual(Buffer.from(body), Buffer.from(bytes))
      }),
    )
  })
})
