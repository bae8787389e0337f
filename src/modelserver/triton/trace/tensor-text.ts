import { splitBytes } from '../../../wire/oip/tensor.ts'
import type { Tensor } from '../../../wire/oip/tensor.ts'
import { numbersToText, textOf } from '../../../wire/oip/tensor-to-json.ts'

/** The elements of a tensor as traces show them: as C++ prints them, with commas. Halves are not shown, as in Triton. */
export function tensorText({ datatype, data }: Tensor): string {
  if (datatype === 'FP16' || datatype === 'BF16') return ''
  if (datatype !== 'BYTES') return numbersToText(datatype, data, FORM)
  return splitBytes(data)
    .map((text) => `"${textOf(text)}"`)
    .join(',')
}

const FORM = {
  truth: (value: number) => (value === 0 ? '0' : '1'),
  fraction: formatGeneral,
}

const DIGITS = 6

/** A number as C's `%g` has it: six digits, and an exponent where they do not reach. */
export function formatGeneral(value: number): string {
  if (Object.is(value, -0)) return '-0'
  if (value === 0 || Number.isNaN(value)) return value === 0 ? '0' : 'nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  const [mantissa = '', exponentText = ''] = value.toExponential(DIGITS - 1).split('e')
  const exponent = Number(exponentText)
  if (exponent >= -4 && exponent < DIGITS) {
    return withoutZeros(value.toFixed(DIGITS - 1 - exponent))
  }
  const sign = exponent < 0 ? '-' : '+'
  const digits = String(Math.abs(exponent)).padStart(2, '0')
  return `${withoutZeros(mantissa)}e${sign}${digits}`
}

function withoutZeros(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text
}
