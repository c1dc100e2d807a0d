const identifier = /^[A-Za-z_$][\w$]*$/

/** Gives a C name unchanged; throws an Error when it could be anything but a name in TypeScript. */
export const checkName = (name: string): string => {
  if (!identifier.test(name)) {
    throw new Error(`${JSON.stringify(name)} in the object's BTF is no name; was the object made by clang?`)
  }

  return name
}

/** Gives a C name as a TypeScript type name: `tail_row` as `TailRow`. */
export const toTypeName = (name: string): string =>
  checkName(name)
    .split('_')
    .filter(Boolean)
    .map(word => word.charAt(0).toUpperCase() + word.slice(1))
    .join('')

/** Gives a C name as a TypeScript constant's name: `tail_row` as `TAIL_ROW`. */
export const toConstantName = (name: string): string => checkName(name).toUpperCase()

/** Gives a C name as a property in an object literal or an interface. */
export const toProperty = (name: string): string => (name === '__proto__' ? `['__proto__']` : checkName(name))
