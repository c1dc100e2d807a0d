import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ProfileError, parseProfile } from './parse.js'
import type { Profile } from './profile.js'

/** Those that come with taut, and those of this machine, which go first. */
const FOLDERS = ['/etc/taut/profiles', fileURLToPath(new URL('../../../tuning-profiles', import.meta.url))]
const EXTENSION = '.yaml'
const MAX_BYTES = 1 << 20

/** Gives the names of the profiles that are there, in order. */
export const listProfileNames = (): string[] => {
  const names = FOLDERS.flatMap(listEntries)
    .filter(name => name.endsWith(EXTENSION))
    .map(name => basename(name, EXTENSION))
  return [...new Set(names)].sort()
}

/** Gives a profile by its name, or by the path of its file. Throws a ProfileError. */
export const loadProfile = (nameOrPath: string): Profile => {
  if (nameOrPath.includes('/') || nameOrPath.endsWith(EXTENSION)) return readProfile(nameOrPath)
  const folder = FOLDERS.find(folder => listEntries(folder).includes(`${nameOrPath}${EXTENSION}`))
  if (folder === undefined)
    throw new ProfileError([
      `there is no profile ${nameOrPath} (try ${listProfileNames().join(', ')}, or the path of a file)`,
    ])
  return readProfile(join(folder, `${nameOrPath}${EXTENSION}`))
}

/** Gives the profile of a file. Throws a ProfileError. */
export const readProfile = (path: string): Profile =>
  parseProfile(readText(path), path, basename(path, EXTENSION))

/** A pipe or a device would keep us waiting, or never end. */
const readText = (path: string): string => {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const stat = fstatSync(fd)
      if (!stat.isFile()) throw new Error('it is no file')
      if (stat.size > MAX_BYTES) throw new Error('it is too large for a profile')
      return readFileSync(fd, 'utf8')
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new ProfileError([`cannot read ${path}: ${reason} (try taut profiles list)`])
  }
}

const listEntries = (folder: string): string[] => {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
