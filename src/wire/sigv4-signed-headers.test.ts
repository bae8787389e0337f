import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseSignedHeaders } from './sigv4-signed-headers.ts'

const name = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,20}$/)
const names = fc
  .uniqueArray(name, { minLength: 1, maxLength: 12 })
  .map((unsorted) => unsorted.toSorted())

describe('parseSignedHeaders', () => {
  it('gives each list its own names, however many lists take turns', () => {
    const lists = fc.array(names, { minLength: 1, maxLength: 30 })
    fc.assert(
      fc.property(lists, (all) => {
        for (const expected of [...all, ...all]) {
          const parsed = parseSignedHeaders(expected.join(';'))
          assert.ok(parsed !== undefined)
          assert.equal(parsed.list, expected.join(';'))
          assert.deepEqual([...parsed.names], expected)
          const labels = expected.map((one) => [one, `\n${one}:`])
          assert.deepEqual(parsed.labels, labels)
        }
      }),
    )
  })

  it('refuses lists that no signer makes, also a second time', () => {
    const bad = ['', ';', 'a;', ';a', 'a;;b', 'b;a', 'a;a', 'A', 'a,b', 'a b', 'a:b', 'a\nb', 'é']
    for (const list of [...bad, ...bad]) assert.equal(parseSignedHeaders(list), undefined, list)
  })

  it('parses a list that is too long to be kept', () => {
    const many = Array.from({ length: 300 }, (_, index) => `h${String(index).padStart(3, '0')}`)
    for (const list of [many.join(';'), many.join(';')]) {
      assert.deepEqual([...(parseSignedHeaders(list)?.names ?? [])], many)
    }
  })
})
