import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { describe, it } from 'node:test'

import { ManualClock } from '../platform/manual-clock.ts'
import { Authenticator, AuthRefusal } from './authenticate.ts'
import type { SignedHead } from './authenticate.ts'

const NOW_MS = Date.UTC(2026, 5, 6, 7, 8, 9)
const AMZ_DATE = '20260606T070809Z'
const SCOPE = '20260606/us-east-1/sagemaker/aws4_request'
const SECRET = 'secret'
const CREDENTIALS = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: SECRET,
  sessionKey: Buffer.alloc(32),
  accountId: '000000000000',
  region: 'us-east-1',
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Whether the hash of the body is in a header, as JavaScript clients send it, or left to the receiver, as by boto3. */
type HashPlace = 'hash in a header' | 'hash left out'
const PLACES: readonly HashPlace[] = ['hash in a header', 'hash left out']

function sign(body: string, place: HashPlace): SignedHead {
  const pairs: [name: string, value: string][] = [
    ['content-type', 'text/csv'],
    ['host', 'localhost:7070'],
    ...(place === 'hash in a header'
      ? ([['x-amz-content-sha256', sha256(body)]] satisfies [string, string][])
      : []),
    ['x-amz-date', AMZ_DATE],
  ]
  const rawTarget = '/endpoints/ep/invocations'
  const list = pairs.map(([name]) => name).join(';')
  const lines = pairs.map(([name, value]) => `${name}:${value}\n`).join('')
  const canonical = `POST\n${rawTarget}\n\n${lines}\n${list}\n${sha256(body)}`
  const stringToSign = `AWS4-HMAC-SHA256\n${AMZ_DATE}\n${SCOPE}\n${sha256(canonical)}`
  let key: Buffer | string = `AWS4${SECRET}`
  for (const part of SCOPE.split('/')) key = createHmac('sha256', key).update(part).digest()
  const signature = createHmac('sha256', key).update(stringToSign).digest('hex')
  const authorization = `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/${SCOPE}, SignedHeaders=${list}, Signature=${signature}`
  const rawHeaders = [...pairs.flat(), 'authorization', authorization]
  return { method: 'POST', rawTarget, rawHeaders }
}

function authenticator(clock = new ManualClock(NOW_MS)): Authenticator {
  return new Authenticator(CREDENTIALS, clock)
}

const refusedAs = (code: string) => (error: unknown) =>
  error instanceof AuthRefusal && error.failure.code === code

for (const place of PLACES) {
  describe(`an invocation with its ${place}`, () => {
    it('is accepted with its own body', () => {
      const verifier = authenticator()
      const verifiedHead = verifier.verifyHead(sign('1,2', place))
      const { accountId } = verifier.verifyBody(verifiedHead, Buffer.from('1,2'))
      assert.equal(accountId, CREDENTIALS.accountId)
    })

    it('is refused with any other body', () => {
      const verifier = authenticator()
      const verifiedHead = verifier.verifyHead(sign('1,2', place))
      for (const body of ['1,3', '1,2 ', '']) {
        assert.throws(
          () => verifier.verifyBody(verifiedHead, Buffer.from(body)),
          refusedAs('InvalidSignatureException'),
        )
      }
    })

    it('does not mix with others whose bodies come in another order', () => {
      const verifier = authenticator()
      const bodies = ['a', 'b', 'c']
      const heads = bodies.map((body) => verifier.verifyHead(sign(body, place)))
      for (const [index, verifiedHead] of heads.entries()) {
        for (const [other, body] of bodies.entries()) {
          const verify = () => verifier.verifyBody(verifiedHead, Buffer.from(body))
          if (other === index) verify()
          else assert.throws(verify, AuthRefusal)
        }
      }
    })

    it('is judged by the time its head came, however long its body takes', async () => {
      const clock = new ManualClock(NOW_MS)
      const verifier = authenticator(clock)
      const head = sign('1,2', place)
      const verifiedHead = verifier.verifyHead(head)
      await clock.advance(301_000)
      verifier.verifyBody(verifiedHead, Buffer.from('1,2'))
      assert.throws(() => verifier.verifyHead(head), refusedAs('InvalidSignatureException'))
    })

    it('is refused when changed, also after it was accepted unchanged', () => {
      const verifier = authenticator()
      const head = sign('1,2', place)
      const rawHeaders = head.rawHeaders.map((text) => text.replace('text/csv', 'text/cs'))
      for (let attempt = 0; attempt < 2; attempt++) {
        verifier.verifyBody(verifier.verifyHead(head), Buffer.from('1,2'))
        assert.throws(() => {
          verifier.verifyBody(verifier.verifyHead({ ...head, rawHeaders }), Buffer.from('1,2'))
        }, AuthRefusal)
      }
    })
  })
}
