import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { BuildError, reasonOf } from './error.js'

/** Gives the SHA-256 of some content in hex. */
export const hash = (content: string | Uint8Array): string =>
  createHash('sha256').update(content).digest('hex')

/** Gives the SHA-256 of a file's content in hex, undefined when it can't be read. */
export const hashFile = async (path: string): Promise<string | undefined> => {
  try {
    return hash(await readFile(path))
  } catch {
    return undefined
  }
}

/** Gives a name beside a file that no other build uses, to be renamed to it once it is whole. */
export const temporaryName = (path: string): string => `${path}.${process.pid}.${performance.now()}.tmp`

/** Makes the folder that a file is to lie in; throws a BuildError when it can't. */
export const makeFolderOf = async (path: string): Promise<void> => {
  try {
    await mkdir(dirname(path), { recursive: true })
  } catch (cause) {
    throw cannotWrite(path, cause)
  }
}

const cannotWrite = (path: string, cause: unknown) =>
  new BuildError(`cannot write ${path}: ${reasonOf(cause)}; choose a place that can be written to`, { cause })

/** Moves a finished file to its place; throws a BuildError when it can't, and leaves no temporary file. */
export const moveInto = async (temporary: string, path: string): Promise<void> => {
  try {
    await rename(temporary, path)
  } catch (cause) {
    await rm(temporary, { force: true })
    throw cannotWrite(path, cause)
  }
}

/** Writes a file whole or not at all; throws a BuildError when it can't. */
export const writeWhole = async (path: string, content: string | Uint8Array): Promise<void> => {
  await makeFolderOf(path)
  const temporary = temporaryName(path)
  try {
    await writeFile(temporary, content)
  } catch (cause) {
    await rm(temporary, { force: true })
    throw cannotWrite(path, cause)
  }

  await moveInto(temporary, path)
}

/** Gives what a JSON file holds, undefined when it can't be read or is not JSON. */
export const readJson = async (path: string): Promise<unknown> => {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch {
    return undefined
  }
}
