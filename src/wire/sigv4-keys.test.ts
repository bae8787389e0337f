import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { SigningKey, SigningKeyCache } from './sigv4-keys.ts'

const SCOPE = { date: '20240102', region: 'us-east-1', service: 'sagemaker' }
const AMZ_DATE = '20240102T030405Z'

describe('SigningKey', () => {
  it('signs as HMAC-SHA256 does, whatever it signed before', () => {
    const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`))
    const digits = (length: number) => fc.stringMatching(new RegExp(`^\\d{${length}}$`))
    const amzDate = fc.tuple(digits(8), digits(6)).map(([day, time]) => `${day}T${time}Z`)
    const requests = fc.array(fc.tuple(amzDate, hex(64)), { minLength: 1, maxLength: 4 })
    const key = fc.uint8Array({ minLength: 32, maxLength: 32 })
    const service = fc.string({ unit: 'grapheme', maxLength: 12 })
    fc.assert(
      fc.property(key, service, requests, (bytes, name, signed) => {
        const signingKey = new SigningKey(bytes, { ...SCOPE, service: name })
        for (const [date, sha256] of signed) {
          const text = `AWS4-HMAC-SHA256\n${date}\n${signingKey.scope}\n${sha256}`
          const expected = createHmac('sha256', bytes).update(text).digest('hex')
          assert.equal(signingKey.sign(date, sha256), expected)
        }
      }),
    )
  })

  it('refuses a date or hash of another length, which would mix with the one before', () => {
    const signingKey = new SigningKey(Buffer.alloc(32, 1), SCOPE)
    assert.throws(() => signingKey.sign(AMZ_DATE.slice(1), 'a'.repeat(64)), RangeError)
    assert.throws(() => signingKey.sign(AMZ_DATE, 'a'.repeat(63)), RangeError)
  })
})

describe('SigningKeyCache', () => {
  it('never mixes secrets and scopes', () => {
    const cache = new SigningKeyCache()
    const first = cache.find('a', SCOPE)
    assert.equal(cache.find('a', { ...SCOPE }), first)
    assert.notDeepEqual(cache.find('b', SCOPE).bytes, first.bytes)
    for (const other of [{ date: '20240103' }, { region: 'eu-west-1' }, { service: 's3' }]) {
      assert.notDeepEqual(cache.find('a', { ...SCOPE, ...other }).bytes, first.bytes)
    }
    assert.equal(cache.find('a', SCOPE), first)
  })

  it('forgets the oldest key', () => {
    const cache = new SigningKeyCache()
    const first = cache.find('a', SCOPE)
    for (let count = 0; count < 1100; count += 1) cache.find(`other ${count}`, SCOPE)
    assert.notEqual(cache.find('a', SCOPE), first)
    assert.deepEqual(cache.find('a', SCOPE).bytes, first.bytes)
  })
})
