import { isRecord } from './http/json-body.ts'

type JsonObject = Readonly<Record<string, unknown>>

/** Reads members of a JSON value whose form is known, each with what it means when it is absent. */
export const read = {
  object: (value: unknown): JsonObject => (isRecord(value) ? value : {}),
  objects: (value: unknown): readonly JsonObject[] =>
    Array.isArray(value) ? value.filter(isRecord) : [],
  text: (value: unknown): string => (typeof value === 'string' ? value : ''),
  /** 64-bit integers are numbers in some places and texts in others. */
  number: (value: unknown): number => {
    if (typeof value === 'number') return value
    if (typeof value === 'bigint' || (typeof value === 'string' && value !== ''))
      return Number(value)
    return 0
  },
  numbers: (value: unknown): readonly number[] =>
    Array.isArray(value) ? value.map(read.number) : [],
  boolean: (value: unknown): boolean => value === true,
  texts: (value: unknown): Readonly<Record<string, string>> =>
    Object.fromEntries(
      Object.entries(read.object(value)).map(([key, one]) => [key, read.text(one)]),
    ),
} as const
