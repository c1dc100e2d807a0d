import type { Command } from 'commander'
import { BtfFileError, findKernelTypes, type KernelTypes } from '../probes/kernel-types.js'
import { Failure } from './failure.js'

/** What commander makes of the option below. */
export type BtfArguments = { btf?: string }

/** Adds the option that names a file with the kernel's types. */
export const addBtfOption = (command: Command): Command =>
  command.option(
    '--btf <file>',
    "the kernel's types, where the kernel has no BTF; the probes then do without its BTF in all",
  )

/** Gives where the probes get the kernel's types from; throws a Failure when the file is no good, and as findKernelTypes does. */
export const pickKernelTypes = ({ btf }: BtfArguments): KernelTypes => {
  try {
    return findKernelTypes(btf)
  } catch (error) {
    if (error instanceof BtfFileError) throw new Failure(error.message, undefined, { cause: error })
    throw error
  }
}
