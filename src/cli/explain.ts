import { BpfError } from 'libbpf-ts'
import { classifyRefusal, isOfVerifier } from '../probes/refusal.js'
import { UnsupportedError } from '../probes/unsupported.js'
import { EXIT, Failure } from './failure.js'

/** How a command ends that failed: with this exit code, this message, and below it these lines of what the kernel said. */
export type Explanation = { exitCode: number; message: string; details: string[] }

/** The verifier gives its reason at the end of a log that may have thousands of lines. */
const LOG_LINES = 5

/** Gives how a command ends that threw this. */
export const explain = (error: unknown): Explanation => {
  if (error instanceof Failure) return { exitCode: error.exitCode, message: error.message, details: [] }
  if (error instanceof UnsupportedError) {
    return { exitCode: EXIT.unsupported, message: `${error.message} (try: taut doctor)`, details: [] }
  }
  if (error instanceof BpfError) return explainRefusal(error)
  const message = error instanceof Error ? error.message : String(error)
  return { exitCode: EXIT.failed, message, details: [] }
}

const explainRefusal = (error: BpfError): Explanation => {
  switch (classifyRefusal(error)) {
    case 'forbidden': {
      const remedy =
        process.geteuid?.() === 0
          ? 'root alone does not do: does a container, or kernel lockdown, forbid it? taut doctor tells more'
          : 'try: sudo taut …, and taut doctor'
      return { exitCode: EXIT.forbidden, message: `${error.message} (${remedy})`, details: [] }
    }
    case 'exhausted':
      return {
        exitCode: EXIT.failed,
        message: `${error.message} (try again with more memory free, or with ulimit -n raised)`,
        details: [],
      }
    case 'unsupported':
      return {
        exitCode: EXIT.unsupported,
        message: `this kernel refuses the probes: ${error.message} (try: taut doctor)`,
        details: listLastLines(error),
      }
  }
}

/** Gives the end of what the verifier said of the program that it refused; nothing where it was not the verifier. */
export const listLastLines = (error: BpfError): string[] =>
  isOfVerifier(error) ? (error.log ?? '').split('\n').filter(Boolean).slice(-LOG_LINES) : []
