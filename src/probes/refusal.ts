import type { BpfError } from 'libbpf-ts'

/**
 * Why the kernel did not take what it was asked to: this process may not, there was no memory or descriptor left, or it
 * can't at all.
 */
export type Refusal = 'forbidden' | 'exhausted' | 'unsupported'

const EXHAUSTED: readonly string[] = ['ENOMEM', 'EMFILE', 'ENFILE']

/** Gives what an error of libbpf-ts means. The verifier says EACCES of a program that is wrong, whoever loads it. */
export const classifyRefusal = (error: BpfError): Refusal => {
  if (EXHAUSTED.includes(error.code)) return 'exhausted'
  if (error.code === 'EPERM') return 'forbidden'
  return error.code === 'EACCES' && !isOfVerifier(error) ? 'forbidden' : 'unsupported'
}

/** Whether it was a program that was not loaded, and not the object around it. */
export const isOfVerifier = ({ operation, program }: BpfError): boolean =>
  operation === 'load' && program !== undefined
