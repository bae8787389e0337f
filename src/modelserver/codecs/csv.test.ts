import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeCsv, parseCsv } from './csv.ts'

for (const { given, text, rows } of [
  {
    given: 'no final line end',
    text: '1,2\n3,4',
    rows: [
      ['1', '2'],
      ['3', '4'],
    ],
  },
  { given: 'a final line end', text: '1,2\n', rows: [['1', '2']] },
  {
    given: 'CRLF',
    text: '1,2\r\n3,4\r\n',
    rows: [
      ['1', '2'],
      ['3', '4'],
    ],
  },
  { given: 'blank lines', text: '\n1\n\n2\n', rows: [['1'], ['2']] },
  { given: 'empty fields', text: ',1,\n', rows: [['', '1', '']] },
  {
    given: 'quoted commas, line ends and quotes',
    text: '"a,b","c\nd","e""f"\r\n1,2,3',
    rows: [
      ['a,b', 'c\nd', 'e"f'],
      ['1', '2', '3'],
    ],
  },
  { given: 'a quoted empty row', text: '""\n"a"', rows: [[''], ['a']] },
  { given: 'a quote inside a bare field', text: 'a"b,c', rows: [['a"b', 'c']] },
  { given: 'an empty last field before the end', text: '"a",', rows: [['a', '']] },
]) {
  test(`parses ${given}`, () => assert.deepEqual(parseCsv(text), rows))
}

test('refuses a quote that is not closed, naming the row', () => {
  assert.throws(() => parseCsv('1\n"2'), {
    status: 400,
    message: /row 2 has a quote that is not closed/,
  })
})

test('refuses text after a closing quote', () => {
  assert.throws(() => parseCsv('"1"2'), { status: 400, message: /row 1 has text after/ })
})

test('property: what is written reads back', () => {
  const rows = fc.array(fc.array(fc.string(), { minLength: 1, maxLength: 4 }), { maxLength: 5 })
  fc.assert(fc.property(rows, (given) => assert.deepEqual(parseCsv(encodeCsv(given)), given)))
})
