import { z } from 'zod'
import type { Refusal } from '../../domain/graph/database.ts'
import { EXPRESSION } from './common-schema.ts'

/** What the caller is told when input is refused: fixed words, or words made of the input. */
export const REFUSAL_FIELDS = {
  reject: z.string().min(1).max(500).optional().describe('What the caller is told'),
  rejectFrom: EXPRESSION.optional().describe('The same, as an expression that gives text'),
  status: z.int().min(400).max(499).optional().describe('Default 400'),
}

interface RawRefusal {
  readonly reject?: string | undefined
  readonly rejectFrom?: string | undefined
  readonly status?: number | undefined
}

/** Refuses a refusal with no words, or with two kinds of them. */
export function requireOneMessage(raw: RawRefusal, issue: z.RefinementCtx): void {
  if ((raw.reject === undefined) !== (raw.rejectFrom === undefined)) return
  issue.addIssue({ code: 'custom', message: 'Give either reject or rejectFrom.' })
}

/** @param defaultStatus where none is written. */
export function toRefusal(
  { reject, rejectFrom, status }: RawRefusal,
  defaultStatus: number = 400,
): Refusal {
  const message =
    rejectFrom === undefined
      ? ({ kind: 'text', text: reject ?? '' } as const)
      : ({ kind: 'expression', expression: rejectFrom } as const)
  return { message, status: status ?? defaultStatus }
}
