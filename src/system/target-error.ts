/** The options name nothing that listens, or too much; the message says what, why and what to do. */
export class TargetError extends Error {
  override name = 'TargetError'
}
