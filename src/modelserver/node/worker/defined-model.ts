/** A function of user code: what it takes and gives is its author's business. */
export type UserFunction = (...args: readonly unknown[]) => unknown

/** The functions of the handler contract. */
export interface UserFunctions {
  readonly modelFn: UserFunction
  readonly inputFn?: UserFunction | undefined
  readonly predictFn?: UserFunction | undefined
  readonly outputFn?: UserFunction | undefined
  readonly transformFn?: UserFunction | undefined
}

export function isFunction(value: unknown): value is UserFunction {
  return typeof value === 'function'
}

/** Calls a function of user code. */
export function callFunction(userFunction: UserFunction, ...args: readonly unknown[]): unknown {
  return userFunction(...args)
}

/** A function of what `defineModel` was given, bound to it. @throws TypeError it is there and no function. */
export function memberOf(model: object, name: string): UserFunction | undefined {
  const member: unknown = Reflect.get(model, name)
  if (member === undefined) return undefined
  if (!isFunction(member))
    throw new TypeError(`${name} of defineModel is ${typeof member}, not a function.`)
  return (...args) => Reflect.apply(member, model, args)
}

/** The same, where it must be there. */
export function requiredMemberOf(model: object, name: string): UserFunction {
  const member = memberOf(model, name)
  if (member === undefined) throw new TypeError(`defineModel was given no ${name}.`)
  return member
}

/** The functions of the contract that a model of bodies stands for. @throws TypeError it has no `predict`. */
export function functionsOfModel(model: object): UserFunctions {
  const load = memberOf(model, 'load')
  const predict = requiredMemberOf(model, 'predict')
  const decode = memberOf(model, 'decode')
  const encode = memberOf(model, 'encode')
  return {
    modelFn: async (modelDirectory) => load?.({ modelDirectory }),
    predictFn: (input, _model, context) => predict(input, context),
    ...(decode !== undefined && { inputFn: (body, _type, context) => decode(body, context) }),
    ...(encode !== undefined && {
      outputFn: (output, _accept, context) => encode(output, context),
    }),
  }
}
