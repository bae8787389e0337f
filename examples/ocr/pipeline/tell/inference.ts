/** The last container: takes what the Triton repository answered and tells the lines as plain text. */
import { defineModel } from 'berth/model'
import { linesOf } from './lines.ts'

export default defineModel({
  predict: linesOf,
  encode: (lines: readonly string[]): [string, string] => [
    lines.join('\n'),
    'text/plain; charset=utf-8',
  ],
})
