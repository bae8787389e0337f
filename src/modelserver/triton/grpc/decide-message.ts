/** Far more than any model has inputs, outputs and dimensions; a message of 2 GB could otherwise be a thousand million fields. */
export const FIELDS_MAX = 100_000
// Source: `CodedInputStream::default_recursion_limit_`, which tritonserver keeps.
const GROUP_DEPTH_MAX = 100

/** Fields of a message that are messages in turn, or packed numbers of which each counts. */
export interface MessageForm {
  readonly fields: ReadonlyMap<number, MessageForm | 'numbers'>
  /** Its fields are elements of a tensor, of which there may be any number. */
  readonly isTensor?: boolean
}

/** A message of which nothing is known. */
export const ANY_FORM: MessageForm = { fields: new Map() }

const PARAMETER_ENTRY: MessageForm = { fields: new Map([[2, ANY_FORM]]) }
const CONTENTS: MessageForm = { fields: new Map(), isTensor: true }
const INPUT: MessageForm = {
  fields: new Map<number, MessageForm | 'numbers'>([
    [3, 'numbers'],
    [4, PARAMETER_ENTRY],
    [5, CONTENTS],
  ]),
}
const OUTPUT: MessageForm = { fields: new Map([[2, PARAMETER_ENTRY]]) }

/** `ModelInferRequest`, as `inference.proto` has it. */
export const INFER_FORM: MessageForm = {
  fields: new Map([
    [4, PARAMETER_ENTRY],
    [5, INPUT],
    [6, OUTPUT],
  ]),
}

/** What becomes of a message: it is decoded, or refused before its fields cost anything. */
export type MessageVerdict = 'fine' | 'malformed' | 'crowded'

/**
 * Whether a message is well-formed, which the decoder does not look at closely (it reads a text that is cut off as far as it
 * goes), and has no more fields than {@link FIELDS_MAX}, of which each costs far more time and memory than its bytes.
 */
export function decideMessage(bytes: Uint8Array, form: MessageForm): MessageVerdict {
  const walk = new FieldWalk(bytes)
  if (!walk.isWellFormed(bytes.length, form)) return 'malformed'
  return walk.fieldCount > FIELDS_MAX ? 'crowded' : 'fine'
}

class FieldWalk {
  readonly #bytes: Uint8Array
  #at = 0
  fieldCount = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** Walks a message up to its end, or until there are too many fields. */
  isWellFormed(end: number, form: MessageForm): boolean {
    let groupDepth = 0
    while (this.#at < end) {
      const tag = this.#varint()
      if (form.isTensor !== true) this.fieldCount += 1
      if (this.fieldCount > FIELDS_MAX) return true
      const wireType = tag & 7
      if (tag >>> 3 === 0) return false
      if (wireType === 3) groupDepth += 1
      else if (wireType === 4) groupDepth -= 1
      else if (
        !this.#isField(wireType, end, groupDepth === 0 ? form.fields.get(tag >>> 3) : undefined)
      )
        return false
      if (groupDepth < 0 || groupDepth > GROUP_DEPTH_MAX) return false
    }
    return this.#at === end && groupDepth === 0
  }

  #isField(wireType: number, end: number, form: MessageForm | 'numbers' | undefined): boolean {
    if (wireType === 0) this.#varint()
    else if (wireType === 1) this.#at += 8
    else if (wireType === 5) this.#at += 4
    else if (wireType === 2) {
      const fieldEnd = this.#varint() + this.#at
      if (fieldEnd > end) return false
      if (form === 'numbers') this.fieldCount += fieldEnd - this.#at
      else if (form !== undefined && !this.isWellFormed(fieldEnd, form)) return false
      this.#at = fieldEnd
    } else return false
    return this.#at <= end
  }

  // Its lower 32 bits, which are all that a tag or a length has. A cut or overlong one leads beyond every end.
  #varint(): number {
    let value = 0
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#bytes[this.#at]
      if (byte === undefined) break
      this.#at += 1
      if (shift < 32) value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
    }
    this.#at = Infinity
    return 1
  }
}
