/** The exit codes of every command. */
export const EXIT = { done: 0, failed: 1, usage: 2, unsupported: 3, forbidden: 4, interrupted: 130 } as const

type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** An end that a person can act on: its message says what failed, why, and what to do. */
export class Failure extends Error {
  override name = 'Failure'

  constructor(
    message: string,
    readonly exitCode: ExitCode = EXIT.failed,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}
