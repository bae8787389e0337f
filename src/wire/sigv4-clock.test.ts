import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { formatAmzDate, parseAmzDate } from './sigv4-clock.ts'

describe('parseAmzDate', () => {
  it('reads back every second of four-digit years', () => {
    const epochS = fc.integer({ min: Date.UTC(100) / 1000, max: Date.UTC(9999, 11, 31) / 1000 })
    fc.assert(
      fc.property(epochS, (seconds) => {
        assert.equal(parseAmzDate(formatAmzDate(seconds * 1000)), seconds * 1000)
      }),
    )
  })

  it('refuses what is not the form of a date that exists', () => {
    const digits = (length: number) => fc.stringMatching(new RegExp(`^\\d{${length}}$`))
    const dateLike = fc.tuple(digits(8), digits(6)).map(([day, time]) => `${day}T${time}Z`)
    fc.assert(
      fc.property(fc.oneof(dateLike, fc.string({ minLength: 16, maxLength: 16 })), (text) => {
        const epochMs = parseAmzDate(text)
        if (epochMs !== undefined) assert.equal(formatAmzDate(epochMs), text)
      }),
    )
  })

  for (const text of [
    '20240230T030405Z',
    '20230229T030405Z',
    '20240002T030405Z',
    '20241302T030405Z',
    '20240100T030405Z',
    '20240102T240000Z',
    '20240102T036005Z',
    '20240102T030460Z',
    '00240102T030405Z',
    '2024 102T030405Z',
    '2024010２T030405Z',
    '20240102t030405Z',
    '20240102T030405z',
    '20240102T030405',
    '20240102T030405ZZ',
    '',
  ]) {
    it(`refuses "${text}"`, () => assert.equal(parseAmzDate(text), undefined))
  }
})
