/** A build that could not be done; `message` says what, why and what to do, `exitCode` is what a command ends with. */
export class BuildError extends Error {
  override readonly name: string = 'BuildError'
  readonly exitCode: number

  constructor(message: string, { exitCode = 1, cause }: { exitCode?: number; cause?: unknown } = {}) {
    super(message, { cause })
    this.exitCode = exitCode
  }
}

/** A compilation that clang refused; `messages` is what clang wrote, unchanged, `exitCode` the one of clang. */
export class CompileError extends BuildError {
  override readonly name = 'CompileError'
  readonly messages: string

  constructor(sources: readonly string[], messages: string, exitCode: number) {
    super(`clang did not compile ${sources.join(', ')}`, { exitCode })
    this.messages = messages
  }
}

/** Gives the reason of a failed system call or any other failure as text. */
export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
