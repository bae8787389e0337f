import { fieldOf, numberField, parseJson, textField } from '../json.ts'

// Of a built-in container's own lines; its process is the instance that the line is shown with.
const UNSHOWN = new Set(['level', 'time', 'room', 'msg', 'pid'])

/**
 * A line of a log for people: a built-in container's own, which is JSON, as time, level, message and what else it has. All
 * others, such as what a model prints, as they are.
 */
export function formatLogLine(line: string): string {
  const json = parseJson(line)
  const message = textField(json, 'msg')
  const atMs = numberField(json, 'time')
  if (textField(json, 'room') !== 'modelserver' || message === undefined || atMs === undefined)
    return line
  const level = textField(json, 'level') ?? '?'
  const rest = Object.keys(Object(json))
    .filter((name) => !UNSHOWN.has(name))
    .map((name) => ` ${name}=${formatValue(fieldOf(json, name))}`)
  return `${new Date(atMs).toISOString()} ${level} ${message}${rest.join('')}`
}

function formatValue(value: unknown): string {
  if (typeof value === 'string' && !/[\s="]/.test(value)) return value
  return JSON.stringify(value)
}
