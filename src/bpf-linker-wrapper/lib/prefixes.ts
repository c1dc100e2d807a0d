import { isAbsolute, relative, resolve, sep } from 'node:path'

const withSeparator = (folder: string) => (folder === '' || folder.endsWith(sep) ? folder : folder + sep)

/**
 * Gives clang's options that keep the names of folders out of an object: what lies in one of them is called
 * by its name from there on, however the folder was given.
 */
export const mapPrefixes = (folders: readonly string[]): string[] => {
  const absolute = [...new Set(folders.map(folder => withSeparator(resolve(folder))))].sort()
  // Which of two nested folders clang applies depends on its version, so only outer ones are named.
  const roots = absolute.filter(
    folder => !absolute.some(other => other !== folder && folder.startsWith(other)),
  )
  const given = [...new Set(folders.filter(folder => !isAbsolute(folder)))].sort().map(folder => {
    const root = roots.find(candidate => withSeparator(resolve(folder)).startsWith(candidate)) ?? ''
    return [withSeparator(folder), withSeparator(relative(root, resolve(folder)))] as const
  })
  return [...roots.map(root => [root, ''] as const), ...given].map(
    ([from, to]) => `-ffile-prefix-map=${from}=${to}`,
  )
}
