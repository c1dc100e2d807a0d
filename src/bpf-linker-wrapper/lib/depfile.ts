/**
 * Gives the files that a make rule written by `clang -MD` depends on, in its order.
 * Undoes the escapes of make: backslash before space and hash, doubled dollars, lines that go on.
 */
export const parseDepfile = (text: string): string[] => {
  const joined = text.replaceAll(/\\\r?\n/g, ' ')
  const colon = joined.search(/:(\s|$)/)
  const names = joined.slice(colon + 1).match(/(?:\\[ #]|[^\s])+/g) ?? []
  return colon === -1 ? [] : names.map(name => name.replaceAll(/\\([ #])/g, '$1').replaceAll('$$', '$'))
}
