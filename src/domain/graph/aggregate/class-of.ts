import type { JsonValue } from '../../json.ts'
import { describe, isList, isObject, UnfitAnswers } from './answers.ts'

/** A class as models name it. */
export type ClassLabel = string | number | boolean

/** Probabilities by the name of the class, in the order of the answer. */
export type ProbabilityByClass = ReadonlyMap<string, number>

/** A class by name, or by position where the model has no names. */
interface Scored {
  readonly label: ClassLabel
  readonly score: number
}

/**
 * The class that a prediction is for.
 *
 * | Prediction | Class |
 * |---|---|
 * | `"orange"`, `true` | itself |
 * | `1` | itself, or the name at this position |
 * | `{"label": c, …}` | that of c |
 * | `{"probabilities": p}`, `{"scores": p}`, or p alone: numbers by name or in a list | the highest, the first among equals |
 * | a list of one of these | that of it |
 *
 * @param classes names of the classes, where the model answers by number.
 * @throws UnfitAnswers: it names no class, or none of these.
 */
export function readClass(
  prediction: JsonValue | undefined,
  branch: string,
  classes: readonly string[] | undefined,
): ClassLabel {
  const label = nameClass(labelOf(prediction, branch), branch, classes)
  if (classes !== undefined && !classes.includes(String(label))) {
    const known = classes.join(', ')
    throw new UnfitAnswers(
      `Branch ${branch} votes for ${JSON.stringify(label)}; the classes are ${known}.`,
    )
  }
  return label
}

/** How sure a prediction is: its highest probability or score; undefined when it has none. */
export function readConfidence(prediction: JsonValue | undefined): number | undefined {
  const scores = scoresOf(prediction)
  return scores === undefined ? undefined : Math.max(...scores.map(({ score }) => score))
}

/** @throws UnfitAnswers: no probabilities, or some that are negative or not finite. */
export function readProbabilities(
  prediction: JsonValue | undefined,
  branch: string,
  classes: readonly string[] | undefined,
): ProbabilityByClass {
  const scores = scoresOf(prediction)
  if (scores === undefined) {
    throw new UnfitAnswers(
      `Branch ${branch} answers ${describe(prediction)}; a soft vote needs probabilities by class.`,
    )
  }
  const bad = scores.find(({ score }) => !(score >= 0 && Number.isFinite(score)))
  if (bad !== undefined) {
    throw new UnfitAnswers(
      `Branch ${branch} answers ${bad.score} for class ${bad.label}; a probability is at least 0.`,
    )
  }
  if (classes !== undefined && scores.length !== classes.length) {
    throw new UnfitAnswers(
      `Branch ${branch} gives ${scores.length} probabilities for ${classes.length} classes.`,
    )
  }
  return new Map(
    scores.map(({ label, score }) => [String(nameClass(label, branch, classes)), score]),
  )
}

function labelOf(prediction: JsonValue | undefined, branch: string): ClassLabel {
  if (typeof prediction === 'string' || typeof prediction === 'boolean') return prediction
  if (typeof prediction === 'number' && Number.isInteger(prediction)) return prediction
  if (isList(prediction) && prediction.length === 1) return labelOf(prediction[0], branch)
  if (isObject(prediction) && prediction.label !== undefined) {
    return labelOf(prediction.label, branch)
  }
  const [first, ...others] = scoresOf(prediction) ?? []
  if (first === undefined) {
    throw new UnfitAnswers(`Branch ${branch} answers ${describe(prediction)}, which is no class.`)
  }
  return others.reduce((best, next) => (next.score > best.score ? next : best), first).label
}

function nameClass(
  label: ClassLabel,
  branch: string,
  classes: readonly string[] | undefined,
): ClassLabel {
  if (classes === undefined || typeof label !== 'number') return label
  const name = classes[label]
  if (name !== undefined) return name
  throw new UnfitAnswers(
    `Branch ${branch} answers class number ${label}; there are ${classes.length}, from 0.`,
  )
}

function scoresOf(prediction: JsonValue | undefined): readonly Scored[] | undefined {
  if (isList(prediction)) {
    if (prediction.length === 1 && !isNumber(prediction[0])) return scoresOf(prediction[0])
    return prediction.length > 0 && prediction.every(isNumber)
      ? prediction.map((score, label) => ({ label, score }))
      : undefined
  }
  if (!isObject(prediction)) return undefined
  const inside = prediction.probabilities ?? prediction.scores
  if (inside !== undefined) return scoresOf(inside)
  const entries = Object.entries(prediction)
  if (entries.length === 0 || !entries.every(([, score]) => isNumber(score))) return undefined
  return entries.map(([label, score]) => ({ label, score: Number(score) }))
}

function isNumber(value: JsonValue | undefined): value is number {
  return typeof value === 'number'
}
