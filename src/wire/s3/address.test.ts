import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseCopySource, parseS3Address } from './address.ts'

const cases = [
  { given: '/', host: 'h', bucketName: undefined, key: undefined },
  { given: '/b', host: 'h', bucketName: 'b', key: undefined },
  { given: '/b/', host: 'h', bucketName: 'b', key: undefined },
  { given: '/b/k', host: '127.0.0.1:7070', bucketName: 'b', key: 'k' },
  { given: '/b//k/../x/', host: 'h', bucketName: 'b', key: '/k/../x/' },
  { given: '/b/p/a%20b%2B%C3%A9.txt', host: 'h', bucketName: 'b', key: 'p/a b+é.txt' },
  { given: '/b/a+b', host: 'h', bucketName: 'b', key: 'a+b' },
  { given: '/k/x', host: 'b.LOCALHOST:7070', bucketName: 'b', key: 'k/x' },
  { given: '/', host: 'b.c.localhost', bucketName: 'b.c', key: undefined },
  { given: '/b/k', host: 'localhost', bucketName: 'b', key: 'k' },
]
for (const { given, host, bucketName, key } of cases) {
  test(`${given} at ${host} is ${bucketName} / ${key}`, () => {
    const address = parseS3Address(given, host, ['localhost'])
    assert.deepEqual([address.bucketName, address.key], [bucketName, key])
  })
}

test('sub-resources with and without = are alike, blanks are + or %20', () => {
  for (const target of ['/b?uploads&prefix=a+b', '/b/?uploads=&prefix=a%20b']) {
    const { query } = parseS3Address(target, undefined, [])
    assert.deepEqual([query.get('uploads'), query.get('prefix')], ['', 'a b'])
  }
})

test('what is not UTF-8 is an InvalidURI', () => {
  for (const target of ['/b/%ff', '/b/%', '/b?prefix=%C3']) {
    assert.throws(() => parseS3Address(target, undefined, []), { name: 'InvalidURI' })
  }
})

test('any key survives its encoding', () => {
  const property = fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (key) => {
    const address = parseS3Address(`/b/${encodeURIComponent(key)}`, undefined, [])
    assert.equal(address.key, key)
    assert.equal(parseCopySource(`/b/${encodeURIComponent(key)}`).key, key)
  })
  fc.assert(property)
})

test('a copy source names bucket and key', () => {
  assert.deepEqual(parseCopySource('b/k%3Fx?versionId=null'), { bucketName: 'b', key: 'k?x' })
  for (const header of ['', 'b', '/b/', 'b/']) {
    assert.throws(() => parseCopySource(header), { name: 'InvalidArgument' })
  }
  assert.throws(() => parseCopySource('b/k?versionId=1'), { name: 'NotImplemented' })
})
