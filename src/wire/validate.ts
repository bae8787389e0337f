/** One broken constraint: where, what was given, what was expected. */
export interface Violation {
  /** `productionVariants.1.member.instanceType` */
  readonly path: string
  readonly value: unknown
  /** AWS's phrase after `failed to satisfy constraint: `. */
  readonly constraint: string
}

/** Accepts additional values for an enum shape, e.g. `local.*` for `ProductionVariantInstanceType`. */
export type ExtraEnumValue = (shapeName: string, value: string) => boolean

/** All broken constraints of an operation's input, in the order of the service model. */
export function findViolations(
  _shapeName: string,
  _value: unknown,
  _isExtraEnumValue?: ExtraEnumValue,
): readonly Violation[] {
  throw new Error('unfinished')
}

/** AWS's sentence for broken constraints. */
export function validationMessage(_violations: readonly Violation[]): string {
  throw new Error('unfinished')
}

/** @throws BerthError `ValidationException`: the input breaks a constraint of the service model. */
export function assertValid(
  _operationName: string,
  _input: unknown,
  _isExtraEnumValue?: ExtraEnumValue,
): void {
  throw new Error('unfinished')
}
